import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { exits, Failure } from '../model/trouble.ts'
import type { Lab } from './lab.ts'
import { there } from './provider.ts'
import { must, tools, works } from './tools.ts'

/** How long an engine may take to answer. */
const patience = 60

/** An engine that the lab started: enough to know it again, and never to end a process that only has its number. */
interface Started {
  readonly pid: number
  /** Field 22 of /proc/PID/stat: when the process began. */
  readonly began: string
}

const record = (lab: Lab) => join(lab.state, 'dockerd.json')
const log = (lab: Lab) => join(lab.state, 'dockerd.log')

/** Makes the Docker engine answer: starts one where none runs. Returns whether it had to. */
export async function startEngine(lab: Lab): Promise<boolean> {
  if (await answers(lab)) return false
  // Root's engine may run, and this user has no access: go through sudo, for this lab only, and change no group.
  if (lab.sudo.length > 0) {
    await wrapDocker(lab)
    if (await answers(lab)) return false
  }
  const pid = (await there('/run/systemd/system')) ? await startUnit(lab) : await startAlone(lab)
  for (let waited = 0; waited < patience; waited++) {
    if (await answers(lab)) return true
    if (pid && !(await beginning(pid))) break
    await sleep(1000, undefined, { signal: lab.signal })
  }
  throw new Failure(exits.someHosts, {
    code: 'LAB_TOOL',
    message: 'the Docker engine does not start',
    evidence: pid ? await lastLines(log(lab)) : [],
    fix: 'look into its log, and start it by hand: `docker info` has to work',
  })
}

async function startUnit(lab: Lab): Promise<undefined> {
  const $ = tools(lab)
  lab.say('starting the Docker engine')
  await must(lab, 'systemctl start docker', $`${lab.sudo} systemctl start docker`)
}

/** Starts an engine that goes on when the lab's own command has ended. Returns its process. */
async function startAlone(lab: Lab): Promise<number> {
  const $ = tools(lab)
  lab.say(`starting the Docker engine in the background (log: ${log(lab)})`)
  await mkdir(lab.state, { recursive: true })
  const start = `setsid dockerd >"$1" 2>&1 </dev/null & echo $!`
  const pid = Number(await must(lab, 'dockerd', $`${lab.sudo} sh -c ${start} dockerd ${log(lab)}`))
  await writeFile(record(lab), JSON.stringify({ pid, began: await beginning(pid) } satisfies Started))
  return pid
}

/** Ends the engine if the lab started it, it still runs, and nobody runs anything on it. Returns whether it did. */
export async function stopEngine(lab: Lab): Promise<boolean> {
  const started = await readFile(record(lab), 'utf8').then(
    (text) => JSON.parse(text) as Started,
    () => undefined,
  )
  if (!started || (await busy(lab))) return false
  const ours = started.began !== '' && (await beginning(started.pid)) === started.began
  if (ours) {
    const $ = tools(lab)
    await must(lab, 'kill', $`${lab.sudo} kill ${started.pid}`)
    while ((await beginning(started.pid)) === started.began) await sleep(200, undefined, { signal: lab.signal })
  }
  await rm(record(lab), { force: true })
  return ours
}

/** Does an engine answer? */
export function answers(lab: Lab): Promise<boolean> {
  const $ = tools(lab)
  return works(lab, $`docker version --format ${'{{.Server.Version}}'}`)
}

/** Does an engine run any container, of this lab or of anybody else's? */
async function busy(lab: Lab): Promise<boolean> {
  const $ = tools(lab)
  const running = await $`docker ps --quiet`
  return running.exitCode === 0 && running.stdout.trim() !== ''
}

/** Puts a `docker` that goes through sudo before the others in the lab's PATH. */
async function wrapDocker(lab: Lab): Promise<void> {
  const $ = tools(lab)
  const bin = join(lab.state, 'bin')
  await rm(join(bin, 'docker'), { force: true })
  const real = (await must(lab, 'finding docker', $`command -v docker`)).trim()
  lab.say('this user may not talk to the Docker engine: going through sudo')
  await mkdir(bin, { recursive: true })
  await writeFile(join(bin, 'docker'), `#!/bin/sh\nexec sudo ${real} "$@"\n`)
  await chmod(join(bin, 'docker'), 0o755)
}

async function beginning(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return state === 'Z' ? '' : (rest[18] ?? '')
}

async function lastLines(path: string) {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text
    .trim()
    .split('\n')
    .slice(-6)
    .map((line) => ({ source: path, line }))
}
