import type { Code } from '../model/codes.ts'
import type { Host } from '../model/inventory.ts'
import { type Exit, exits, Failure, type Trouble } from '../model/trouble.ts'

/** How far a connection had come when it broke. */
export type Progress = 'tcp' | 'handshake' | 'login' | 'ready'

/** What ssh2 hangs on its errors: `level` says who speaks, `code` is the system's or the number of an SSH disconnect. */
export interface SshError extends Error {
  level?: string
  code?: string | number
}

const system: Readonly<Record<string, { message: string; fix: string }>> = {
  ECONNREFUSED: {
    message: 'nothing listens there',
    fix: 'start sshd on the host, or correct address and port in the inventory',
  },
  ENOTFOUND: {
    message: 'the name does not resolve',
    fix: 'correct the address in the inventory, or write an IP address',
  },
  EAI_AGAIN: {
    message: 'the name server does not answer',
    fix: 'check DNS here, or write IP addresses into the inventory',
  },
  ETIMEDOUT: { message: 'it does not answer', fix: 'check that the host is up and that no firewall drops the port' },
  EHOSTUNREACH: { message: 'there is no way to it', fix: 'check that the host is up and the route to it' },
  ENETUNREACH: { message: 'there is no route to its network', fix: 'check the routes here (ip route get ADDRESS)' },
  ECONNRESET: {
    message: 'it reset the connection',
    fix: 'look into its log (journalctl -u ssh -u sshd): MaxStartups, or a firewall',
  },
}

/** What an error while connecting means. */
export function connectTrouble(
  host: Host,
  error: SshError | null,
  progress: Progress,
  seconds: number,
  agentSaid?: string,
): Trouble {
  const at = `${host.address} port ${host.port}`
  const said = error?.message ?? 'the connection was closed'
  const evidence = [{ source: at, line: said }, ...(agentSaid ? [{ source: 'SSH agent', line: agentSaid }] : [])]
  const unreachable = (message: string, fix: string): Trouble => ({
    code: 'HOST_UNREACHABLE',
    message,
    where: host.name,
    evidence,
    fix,
  })
  const known = typeof error?.code === 'string' ? system[error.code] : undefined
  if (known) return unreachable(`no connection to ${at}: ${known.message}`, known.fix)
  if (error?.level === 'client-timeout') {
    const waited = { tcp: 'a TCP connection', handshake: 'the SSH handshake', login: 'the login', ready: 'an answer' }[
      progress
    ]
    return unreachable(`no connection to ${at}: waited ${seconds} s for ${waited}`, system.ETIMEDOUT!.fix)
  }
  if (/before handshake/.test(said)) {
    return unreachable(
      `no SSH session with ${at}: it took the connection and closed it without a word`,
      'wait until sshd there has started; or look into its log: MaxStartups, a penalty, a port forward to nowhere',
    )
  }
  if (progress === 'login') {
    return {
      code: 'AUTH_FAILED',
      message: `it did not let ${host.user} in${host.key ? ` with the key ${host.key}` : ''}`,
      where: host.name,
      evidence,
      fix: `add the public key to ~${host.user}/.ssh/authorized_keys on the host, or correct ssh.user and ssh.key in the inventory`,
    }
  }
  return unreachable(
    `no SSH session with ${at}`,
    'check that it is an SSH server (ssh -v), with an ed25519, ECDSA or RSA-SHA2 host key; look into its log',
  )
}

/** What an exec told before it ended without its end mark. */
export interface Broken {
  readonly begun: boolean
  readonly status: number | null
  readonly signal: string | null
  /** What came on stdout and stderr before the first mark. */
  readonly said: string
  /** stderr of the script so far */
  readonly err: string
}

/** What it means that an exec ended without its end mark. It never means success. */
export function brokenTrouble(host: Host, job: string, broken: Broken, cause: string | undefined): Trouble {
  const last = lastLine(broken.begun ? broken.err : broken.said)
  const evidence = last
    ? [{ source: `${host.name}: ${broken.begun ? 'stderr' : 'before the script began'}`, line: last }]
    : []
  const at = { where: host.name }
  if (broken.status === null || broken.status > 128) {
    const why =
      cause ?? (broken.signal ? `its shell was ended by ${broken.signal}` : 'the channel closed without an end')
    return {
      code: 'CONNECTION_LOST',
      message: `the connection broke off during: ${job}`,
      ...at,
      evidence: [{ source: host.address, line: why }, ...evidence],
      fix: 'check the host and the way to it, then run the command again: it goes on from what is there',
    }
  }
  if (!broken.begun && /\bsudo\b/.test(broken.said)) return sudoTrouble(host, broken.said)
  return {
    code: 'LOOK_FAILED',
    message: broken.begun
      ? `the shell ended with status ${broken.status} in the middle of: ${job}`
      : `the login shell of ${host.user} did not run the script (status ${broken.status})`,
    ...at,
    evidence,
    fix: broken.begun
      ? 'look at the evidence; a full disk or too little memory may be the cause'
      : `give ${host.user} a login shell that runs commands: chsh`,
  }
}

function sudoTrouble(host: Host, said: string): Trouble {
  const line = said.split('\n').find((l) => /\bsudo\b/.test(l) && !/lecture/i.test(l)) ?? lastLine(said)
  const grant = `echo '${host.user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/${host.user}`
  const missing = /not found|unknown command|no such file/i.test(line)
  const tty = /must have a tty/i.test(line)
  const [message, fix] = missing
    ? ['there is no sudo', 'install sudo, or log in as root with ssh.user: root and ssh.become: none']
    : tty
      ? [
          'sudo wants a terminal (requiretty)',
          `as root on the host: echo 'Defaults:${host.user} !requiretty' > /etc/sudoers.d/${host.user}-tty`,
        ]
      : /password|authentication/i.test(line)
        ? ['sudo wants a password', `let it go without one; as root on the host: ${grant}`]
        : ['sudo refuses', `allow it; as root on the host: ${grant}`]
  return {
    code: 'SUDO_FAILED',
    message: `${host.user} may not become root: ${message}`,
    where: host.name,
    evidence: [{ source: `${host.name}: sudo -n`, line: line.trim() }],
    fix: fix!,
  }
}

/** One trouble as the failure of a call. */
export function failure(exit: Exit, code: Code, host: Host, message: string, more: Partial<Trouble> = {}): Failure {
  return new Failure(exit, { code, message, where: host.name, ...more })
}

/** What the user's interruption makes of a call. */
export function interrupted(host: Host, job: string): Failure {
  return failure(exits.interrupted, 'INTERRUPTED', host, `stopped during: ${job}`)
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim().slice(0, 500) ?? ''
}
