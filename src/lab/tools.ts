import { join } from 'node:path'
import { $, type ProcessOutput, type ProcessPromise } from 'zx'
import { exits, Failure } from '../model/trouble.ts'
import type { Lab } from './lab.ts'

/** zx for the commands of this machine: quiet, killed by the lab's signal, and never throwing by itself. See {@link must}. */
export function tools(lab: Lab): typeof $ {
  return $({ cwd: lab.dir, env: environment(lab), signal: lab.signal, quiet: true, nothrow: true }) as typeof $
}

/** The environment of the tools: wrappers first, and the folders of root's commands, which Debian keeps from users. */
export function environment(lab: Lab): NodeJS.ProcessEnv {
  const { env } = lab
  return {
    ...env,
    PATH: `${join(lab.state, 'bin')}:${env.PATH ?? '/usr/local/bin:/usr/bin:/bin'}:/usr/sbin:/sbin`,
    LC_ALL: 'C.UTF-8',
    // Without it bash takes itself for a remote login's and reads ~/.bashrc.
    SHLVL: env.SHLVL ?? '1',
    VAGRANT_CWD: lab.dir,
    VAGRANT_DOTFILE_PATH: join(lab.dir, '.vagrant'),
    VAGRANT_NO_COLOR: '1',
    VAGRANT_CHECKPOINT_DISABLE: '1',
  }
}

/** The output of a command that has to succeed. Each line of its stdout goes to `onLine` as it comes. */
export async function must(
  lab: Lab,
  what: string,
  command: ProcessPromise,
  onLine?: (line: string) => void,
): Promise<string> {
  if (onLine) for await (const line of command) onLine(line)
  const end = await command
  if (lab.signal.aborted) throw interrupted()
  if (end.exitCode === 0) return end.stdout
  throw new Failure(exits.someHosts, {
    code: 'LAB_TOOL',
    message: `${what} failed with status ${end.exitCode}`,
    evidence: complaint(end, what),
  })
}

/** Does the command succeed? */
export async function works(lab: Lab, command: ProcessPromise): Promise<boolean> {
  const { exitCode } = await command
  if (lab.signal.aborted) throw interrupted()
  return exitCode === 0
}

/** Says every ten seconds how long something goes on. */
export async function patiently<T>(lab: Lab, what: string, seconds: number, work: Promise<T>): Promise<T> {
  const began = performance.now()
  const tell = () => {
    const spent = Math.round((performance.now() - began) / 1000)
    lab.say(`${what}: ${spent} s${spent < seconds ? ` of about ${seconds} s` : ''}`)
  }
  const timer = setInterval(tell, 10_000)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

export function interrupted(): Failure {
  return new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'stopped by the user' })
}

/** The last lines a command complained with. */
function complaint(end: ProcessOutput, source: string) {
  const lines = `${end.stderr.trim() || end.stdout.trim()}`.split('\n').filter((line) => line.trim() !== '')
  return lines.slice(-8).map((line) => ({ source, line: line.trim() }))
}
