import type { Code } from '../model/codes.ts'
import type { Door, Host } from '../model/inventory.ts'
import { type Exit, exits, Failure, type Trouble } from '../model/trouble.ts'
import { addressOf } from './dial.ts'

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
  host: Door,
  error: SshError | null,
  progress: Progress,
  seconds: number,
  login: { readonly ways: readonly string[]; readonly agent?: string | undefined } = { ways: [] },
): Trouble {
  const at = `${addressOf(host)} port ${host.port}`
  const said = error?.message ?? 'the connection was closed'
  const evidence = [{ source: at, line: said }, ...(login.agent ? [{ source: 'key', line: login.agent }] : [])]
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
  if (progress === 'login') return loginTrouble(host, login.ways, said, evidence)
  return unreachable(
    `no SSH session with ${at}`,
    'check that it is an SSH server (ssh -v), with an ed25519, ECDSA or RSA-SHA2 host key; look into its log',
  )
}

function loginTrouble(
  door: Door,
  ways: readonly string[],
  said: string,
  evidence: Trouble['evidence'] & object,
): Trouble {
  const at = { code: 'AUTH_FAILED' as const, where: door.name, evidence }
  const listed = ways.length > 0 ? ` with ${ways.join(', ')}` : ''
  const keys = ways.filter((way) => way !== 'a password')
  // sshd counts every key that it is offered, and hangs up at the sixth (MaxAuthTries).
  if (/too many authentication failures/i.test(said)) {
    return {
      ...at,
      message: `it hung up after ${keys.length} keys before the right one was offered${listed}`,
      fix: 'name the right one: ssh.key in the inventory, or IdentityFile and IdentitiesOnly in ~/.ssh/config; its .pub file is enough where the agent holds it',
    }
  }
  const more = ways.includes('a password') ? ', or give the right password' : ''
  return {
    ...at,
    message: `it did not let ${door.user} in${listed}`,
    fix: `add the public key to ~${door.user}/.ssh/authorized_keys on the host, or correct ssh.user and ssh.key in the inventory${more}`,
  }
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
  const tool = host.become
  if (!broken.begun && tool !== 'none' && host.user !== 'root' && broken.said.includes(tool))
    return rootTrouble(host, tool, broken.said)
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

/** Why sudo or doas did not start the shell, in their own words. */
function rootTrouble(host: Host, tool: 'sudo' | 'doas', text: string): Trouble {
  // Marks of ours are no words of theirs.
  const said = text.replace(/[0-9a-f]{24}[?!]/g, '')
  const line = said.split('\n').find((l) => l.includes(tool) && !/lecture/i.test(l)) ?? lastLine(said)
  const grant =
    tool === 'sudo'
      ? `echo '${host.user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/${host.user}`
      : `echo 'permit nopass ${host.user}' >> /etc/doas.conf`
  const byHand = `as root on the host: ${grant}`
  const asking = '--ask-become-pass'
  const reasons: [pattern: RegExp, message: string, fix: string][] = [
    [
      /not found|unknown command|no such file/i,
      `there is no ${tool}`,
      `install ${tool}, or log in as root with ssh.user: root and ssh.become: none`,
    ],
    [
      /must have a tty/i,
      'sudo wants a terminal (requiretty)',
      `as root on the host: echo 'Defaults:${host.user} !requiretty' > /etc/sudoers.d/${host.user}-tty`,
    ],
    [
      /incorrect password|authentication fail|sorry, try again/i,
      `${tool} did not take the password`,
      `give the right one: ${asking}`,
    ],
    [
      /password is required|no password was provided|authori[sz]ation required|authentication required/i,
      `${tool} wants a password`,
      `give it: ${asking}; or let it go without one, ${byHand}`,
    ],
  ]
  const [, message, fix] = reasons.find(([pattern]) => pattern.test(line)) ?? [
    0,
    `${tool} refuses`,
    `allow it; ${byHand}`,
  ]
  return {
    code: 'SUDO_FAILED',
    message: `${host.user} may not become root: ${message}`,
    where: host.name,
    evidence: [{ source: `${host.name}: ${tool}`, line: line.trim() }],
    fix,
  }
}

/** One trouble as the failure of a call. */
export function failure(exit: Exit, code: Code, host: Door, message: string, more: Partial<Trouble> = {}): Failure {
  return new Failure(exit, { code, message, where: host.name, ...more })
}

/** What the user's interruption makes of a call. */
export function interrupted(host: Door, job: string): Failure {
  const fix = 'run the command again: it goes on from what is there'
  return failure(exits.interrupted, 'INTERRUPTED', host, `stopped during: ${job}`, { fix })
}

/** What it means that the data of a transfer could not be read to its end. */
export function sourceFailed(host: Host, error: Error): Failure {
  if (error instanceof Failure) return error
  const missing = 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')
  return failure(
    exits.someHosts,
    missing ? 'FILE_NOT_FOUND' : 'ACTION_FAILED',
    host,
    `what was to be sent cannot be read: ${error.message}`,
  )
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1)?.trim().slice(0, 500) ?? ''
}
