import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { exits, Failure } from '../model/trouble.ts'

export interface ChildOptions {
  readonly cwd?: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
  /** Gets each line of stderr as it comes. */
  readonly onLine?: (line: string) => void
}

/**
 * Runs a program of this machine and returns its stdout.
 * @throws Failure BUNDLE_FETCH with the last lines it complained with; INTERRUPTED once it has ended after the signal
 */
export async function run(command: readonly [string, ...string[]], options: ChildOptions): Promise<string> {
  const [program, ...args] = command
  const { signal } = options
  signal?.throwIfAborted()
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env as NodeJS.ProcessEnv,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  // the whole group: go would leave its linkers behind. mmdebstrap tidies up after TERM; whoever does not listen is killed
  const kill = (name: 'TERM' | 'KILL'): void => {
    if (child.pid) spawn('sh', ['-c', `kill -s ${name} -- -${child.pid}`], { stdio: 'ignore' }).on('error', () => {})
  }
  let killer: NodeJS.Timeout | undefined
  const stop = (): void => {
    kill('TERM')
    killer = setTimeout(() => kill('KILL'), 10_000)
  }
  signal?.addEventListener('abort', stop, { once: true })

  const out: Buffer[] = []
  const complaints: string[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  createInterface({ input: child.stderr }).on('line', (line) => {
    complaints.push(line)
    if (complaints.length > 20) complaints.shift()
    options.onLine?.(line)
  })
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    if (signal?.aborted) throw interrupted()
    if (code !== 0) throw failed(command, `ended with status ${code}`, complaints)
  } catch (error) {
    throw error instanceof Failure ? error : failed(command, String((error as Error).message), complaints)
  } finally {
    clearTimeout(killer)
    signal?.removeEventListener('abort', stop)
  }
  return Buffer.concat(out).toString()
}

export const interrupted = (): Failure =>
  new Failure(exits.interrupted, {
    code: 'INTERRUPTED',
    message: 'stopped; the next run goes on where this one was',
  })

function failed([program, ...args]: readonly string[], why: string, complaints: readonly string[]): Failure {
  const source = [program, ...args.filter((arg) => arg.length < 60)].join(' ')
  return new Failure(exits.badInput, {
    code: 'BUNDLE_FETCH',
    message: `${program} ${why}`,
    evidence: complaints.filter((line) => !line.startsWith('go: downloading')).map((line) => ({ source, line })),
  })
}
