import { execFileSync, spawn } from 'node:child_process'
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Host } from '../../src/model/inventory.ts'
import { freePort } from './ports.ts'

export interface Sshd {
  readonly port: number
  /** Everything of it lies here and goes away with it. */
  readonly dir: string
  /** The private key that is let in, for every user. */
  readonly key: string
  /** A known_hosts file that knows all its keys. */
  readonly knownHosts: string
  readonly hostKeys: Readonly<Record<'ed25519' | 'ecdsa', { readonly fingerprint: string; readonly line: string }>>
  readonly pid: number
  /** The server as a host of an inventory: root, no sudo, its ed25519 key pinned. Fields of `change` win; undefined takes away. */
  host(change?: { [K in keyof Host]?: Host[K] | undefined }): Host
  /** What it has written to its log so far. */
  log(): string
  /** Stops it with all its sessions, and starts it on the same port after a while. */
  restart(pauseMs: number): Promise<void>
  stop(): Promise<void>
}

/**
 * A real sshd of its own on loopback, in the foreground: nothing of the machine's own sshd is touched. `inside` are the words of
 * a command that starts it.
 */
export async function startSshd(config: readonly string[] = [], inside: readonly string[] = []): Promise<Sshd> {
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const dir = mkdtempSync(join(tmpdir(), 'k8snet-sshd-'))
  chmodSync(dir, 0o755)
  const key = join(dir, 'id')
  const hostKeys = {
    ed25519: makeKey(join(dir, 'host_ed25519'), 'ed25519'),
    ecdsa: makeKey(join(dir, 'host_ecdsa'), 'ecdsa'),
  }
  makeKey(key, 'ed25519')
  writeFileSync(join(dir, 'authorized_keys'), readFileSync(`${key}.pub`), { mode: 0o644 })
  const port = await freePort()
  const knownHosts = join(dir, 'known_hosts')
  for (const { line } of Object.values(hostKeys)) appendFileSync(knownHosts, `[127.0.0.1]:${port} ${line}\n`)
  const file = join(dir, 'sshd_config')
  // The first value of a keyword wins, so the caller's lines come first.
  writeFileSync(file, `${[...config, ...defaults(dir, port)].join('\n')}\n`)
  let log = ''
  const start = async () => {
    const [command = '', ...words] = [...inside, '/usr/sbin/sshd', '-D', '-e', '-f', file]
    const started = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe'] })
    started.stderr.on('data', (chunk) => {
      log += chunk
    })
    await listening(
      port,
      () => started.exitCode !== null,
      () => log,
    )
    return started
  }
  const end = async (it: typeof child) => {
    if (it.exitCode !== null || it.signalCode !== null) return
    const exited = new Promise<void>((resolve) => it.once('exit', () => resolve()))
    it.kill('SIGTERM')
    await exited
  }
  let child = await start()
  return {
    port,
    dir,
    key,
    knownHosts,
    hostKeys,
    get pid() {
      return child.pid!
    },
    log: () => log,
    host: (change = {}) => {
      const host = {
        name: 'h1',
        role: 'worker',
        address: '127.0.0.1',
        port,
        nodeIP: '127.0.0.1',
        user: 'root',
        key,
        become: 'none',
        hostKey: hostKeys.ed25519.fingerprint,
        knownHosts,
        ...change,
      }
      return Object.fromEntries(Object.entries(host).filter(([, value]) => value !== undefined)) as unknown as Host
    },
    restart: async (pauseMs) => {
      const sessions = childrenOf(child.pid!)
      await end(child)
      for (const pid of sessions) endNow(pid)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      child = await start()
    },
    stop: async () => {
      await end(child)
      // A session that is just ending may still write there.
      rmSync(dir, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** Makes a key pair; its fingerprint is what ssh-keygen says, not what k8snet computes. */
export function makeKey(
  path: string,
  type: 'ed25519' | 'ecdsa' | 'rsa',
  passphrase = '',
): { fingerprint: string; line: string } {
  execFileSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-f', path, '-C', 'test'])
  const fingerprint = /SHA256:\S+/.exec(execFileSync('ssh-keygen', ['-lf', `${path}.pub`], { encoding: 'utf8' }))![0]
  return { fingerprint, line: readFileSync(`${path}.pub`, 'utf8').trim() }
}

/** An account of this machine for as long as a test runs; the tests run as root on a machine that may be thrown away. */
export function addUser(
  name: string,
  options: { shell?: string; sudoers?: string; profile?: readonly [file: string, text: string] } = {},
) {
  const sudoers = `/etc/sudoers.d/${name}`
  const remove = () => {
    patiently(() => {
      try {
        execFileSync('userdel', ['-f', '-r', name], { stdio: 'pipe' })
      } catch (error) {
        // 1 and 10: the files could not be changed just now; else it was not there, or had no mail
        if ([1, 10].includes((error as { status: number }).status)) throw error
      }
    })
    rmSync(sudoers, { force: true })
  }
  remove()
  patiently(() =>
    execFileSync('useradd', ['-m', '-s', options.shell ?? '/bin/bash', '-p', '*', name], { stdio: 'pipe' }),
  )
  if (options.sudoers) writeFileSync(sudoers, `${options.sudoers}\n`, { mode: 0o440 })
  if (options.profile) {
    const file = join('/home', name, options.profile[0])
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, options.profile[1])
  }
  return { name, remove }
}

/** Gives an account a password. */
export function setPassword(name: string, password: string): void {
  const hash = execFileSync('openssl', ['passwd', '-6', '-stdin'], { encoding: 'utf8', input: password }).trim()
  patiently(() => execFileSync('usermod', ['-p', hash, name], { stdio: 'pipe' }))
}

/** Another test file may hold the lock of /etc/passwd just now. */
function patiently(act: () => void, tries = 300): void {
  try {
    act()
  } catch (error) {
    if (tries === 0) throw error
    execFileSync('sleep', ['0.1'])
    patiently(act, tries - 1)
  }
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it has ended by itself
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

function defaults(dir: string, port: number): string[] {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${dir}/host_ed25519`,
    `HostKey ${dir}/host_ecdsa`,
    `AuthorizedKeysFile ${dir}/authorized_keys`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'LogLevel VERBOSE',
    'MaxStartups 100',
    // What this machine's root has in its profile is no part of a test.
    'Match User root',
    `SetEnv HOME=${dir}`,
  ]
}

async function listening(port: number, ended: () => boolean, log: () => string): Promise<void> {
  for (let i = 0; i < 2400; i++) {
    if (ended()) break
    const ok = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (ok) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`sshd did not start: ${log()}`)
}
