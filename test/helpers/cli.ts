import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Ended {
  code: number
  out: string
  err: string
  ms: number
}

/** Runs a program to its end, without a terminal; never rejects for its exit code. */
export function run(
  program: string,
  args: readonly string[],
  options: {
    env?: Record<string, string>
    cwd?: string
    input?: string
    echo?: boolean
    /** Gets all that came on stderr so far, whenever there is more. */
    hear?: (err: string) => void
  } = {},
): Promise<Ended> {
  const began = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      // records of runs stay away from those of whoever runs the tests
      env: { ...process.env, NO_COLOR: '1', XDG_STATE_HOME: join(tmpdir(), 'k8snet-test-state'), ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let out = ''
    let err = ''
    // a letter of several bytes may come in two pieces
    child.stdout.setEncoding('utf8').on('data', (data: string) => {
      out += data
      if (options.echo) process.stderr.write(data)
    })
    child.stderr.setEncoding('utf8').on('data', (data: string) => {
      err += data
      options.hear?.(err)
      if (options.echo) process.stderr.write(data)
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? -1, out, err, ms: performance.now() - began }))
    // a program may end without reading its input
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** Runs the compiled k8snet. */
export function k8snet(args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<Ended> {
  return run(process.execPath, ['dist/cli.js', ...args], options)
}
