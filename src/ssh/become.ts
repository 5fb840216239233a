import type { Client, ClientChannel } from 'ssh2'
import type { Host } from '../model/inventory.ts'
import type { Secret } from '../model/secret.ts'
import { quote, type Sh } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'
import { turns } from './slots.ts'

/** How the user of a host becomes root there, and what was learnt of it so far; one for all connections to the host. */
export interface Become {
  readonly host: Host
  readonly tool: 'sudo' | 'doas' | 'none'
  readonly password?: Secret | undefined
  /** It asks for the password. */
  asks: boolean
  /** It wants a terminal. */
  tty: boolean
  /** It has let us in before. */
  proven: boolean
  /** The password was wrong. It is not tried again: accounts get locked. */
  refused?: Failure
  /** Until a password has proven right, only one call at a time gives it. */
  readonly alone: ReturnType<typeof turns>
}

/** One start of a root shell. */
export interface Start {
  /** Runs on the channel that the script and its output go through. */
  readonly command: Sh
  /** Runs on a second channel with a terminal, which is that of sudo or doas; the first one then only passes bytes on. */
  readonly onTty?: Sh
  /** What sudo asks with. */
  readonly prompt?: string
  /** What the root shell says on stderr when it is there. */
  readonly ready?: string
  /** What the terminal shows last before sudo or doas is called: what a profile printed comes before it. */
  readonly curtain?: string
}

/** sshd frees a session a little after its channel is closed, so a refused terminal is asked for again, for a while. */
const [reopenMs, sessionMs] = [200, 15_000]
/** How long nothing comes any more from a root shell whose terminal is gone, before it is given up. */
const silentMs = 10_000

export function becomeOf(host: Host, password?: Secret): Become {
  const tool = host.user === 'root' ? 'none' : host.become
  return { host, tool, password, asks: false, tty: false, proven: tool === 'none', alone: turns(1) }
}

/**
 * The command that makes a root `shell`. The first one of a host asks for no password and no terminal: where none is needed that
 * costs nothing; where one is, the refusal says so, and the next start brings it.
 */
export function startOf({ tool, asks, tty }: Become, nonce: string, shell: Sh): Start {
  if (tool === 'none') return { command: shell }
  const prompt = `${nonce}?`
  const ready = `${nonce}!`
  const inner = asks ? `/bin/sh -c ${quote(`echo "${ready}" >&2; exec ${shell}`)}` : shell
  const root =
    tool === 'doas' ? `doas ${tty ? '' : '-n '}${inner}` : `sudo ${asks ? `-S -p ${quote(prompt)}` : '-n'} -H ${inner}`
  const said = { ...(asks ? { ready, ...(tool === 'sudo' ? { prompt } : {}) } : {}) }
  if (!tty) return { command: asks ? inSh(`exec ${root}`) : root, ...said }
  // Bytes go through pipes and not through the terminal, which would change them and mix stdout with stderr.
  const dir = `/tmp/.k8snet-${nonce}`
  const pass = `umask 077; exec 3<&0; mkdir ${dir} && mkfifo ${dir}/i ${dir}/o ${dir}/e || exit 1; cat <&3 >${dir}/i & i=$!; cat ${dir}/o & o=$!; cat ${dir}/e >&2 & e=$!; ${giveUp(dir)} wait $o $e; kill $i 2>/dev/null; exit 1`
  // The outer shell stays on the terminal: sshd stops listening to one that nobody has open.
  const curtain = `${nonce}:`
  const run = `until [ -p ${dir}/e ]; do sleep 0.05; done; echo ${curtain}; ( exec <${dir}/i >${dir}/o 2>${dir}/e; rm -rf ${dir}; exec ${root} ); exit`
  return { command: inSh(pass), onTty: inSh(run), curtain, ...said }
}

/** Where no terminal opens the pipes, for the connection broke before it was there, nothing stays for more than a minute. */
const giveUp = (dir: string): Sh =>
  `( n=0; while [ -d ${dir} ]; do [ $n -lt 300 ] || { rm -rf ${dir}; kill $i $o $e; }; n=$((n + 1)); sleep 0.2; done ) </dev/null >/dev/null 2>&1 3<&- &`

/** Quotes in quotes for whatever login shell there is: fish and csh see a backslash or a ! in them as no POSIX shell does. */
function inSh(command: Sh): Sh {
  const plain = command.replace(/[\\'!]/g, (char) => `\\0${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
  return `/bin/sh -c 'eval "$(printf %b "$0")"' '${plain}'`
}

/** Runs a call; where sudo or doas wanted what it did not bring, again with it. A password is given to a host once until it is proven. */
export async function retrying<T>(become: Become, call: () => Promise<T>): Promise<T> {
  for (;;) {
    if (become.refused) throw become.refused
    const { asks, tty, proven } = become
    try {
      const done = await (asks && !proven
        ? become.alone(() => (become.refused ? Promise.reject(become.refused) : call()))
        : call())
      become.proven = true
      return done
    } catch (error) {
      if (!(error instanceof Failure) || error.troubles[0]?.code !== 'SUDO_FAILED') throw error
      // Another call's password was refused meanwhile.
      if (become.refused) throw become.refused
      if (!learn(become, { asks, tty }, String(error.cause))) {
        if (asks) become.refused = error
        throw error
      }
    }
  }
}

/** Takes from a refusal what the next start has to bring; false where no other start would fare better. */
function learn(become: Become, started: Pick<Become, 'asks' | 'tty'>, said: string): boolean {
  const wantsTty = /must have a tty|a tty is required/i.test(said)
  const wantsPassword = /password is required|authori[sz]ation required|authentication required/i.test(said)
  // Another call has learnt it meanwhile.
  if (become.asks !== started.asks || become.tty !== started.tty) return true
  if (wantsTty && !become.tty) become.tty = true
  else if (wantsPassword && !become.asks && become.password) {
    become.asks = true
    // doas reads passwords from a terminal only.
    if (become.tool === 'doas') become.tty = true
  } else return false
  return true
}

/**
 * Sees a start through: gives the password when it is asked for, once, and calls `go` when the root shell is there to read its
 * script; `fail` when the password was wrong or there is no terminal.
 */
export function admit(
  { client, gone }: { readonly client: Client; readonly gone: AbortSignal },
  stream: ClientChannel,
  start: Start,
  become: Become,
  calls: { go(): void; fail(failure: Failure): void },
): void {
  const { password } = become
  let given = false
  let seen = ''
  const answer = (to: ClientChannel) => {
    if (given || !password) {
      become.refused = wrongPassword(become)
      return calls.fail(become.refused)
    }
    given = true
    seen = ''
    to.write(`${password.reveal()}\n`)
  }
  const began = performance.now()
  let ended = false
  const openTty = (command: Sh) => {
    const opened = (error: Error | undefined, tty: ClientChannel) => {
      // What came of the call is known, or will be told by whoever sees to the connection: it says nothing about terminals.
      if (ended || gone.aborted) return void tty?.close()
      if (error && /open fail/.test(error.message) && performance.now() - began < sessionMs)
        return void setTimeout(() => ended || openTty(command), reopenMs)
      if (error) return calls.fail(noTerminal(become, error.message))
      let asked = ''
      tty.on('data', (chunk: Buffer) => {
        asked = (asked + chunk.toString('latin1')).slice(-1000)
        if (start.prompt !== undefined || !start.ready) return
        const [, prompt = ''] = asked.split(start.curtain!)
        if (/password[^\n]*: ?$/i.test(prompt)) {
          asked = start.curtain!
          answer(tty)
        }
      })
      tty.stderr.resume()
      tty.on('error', () => {})
      stream.once('close', () => tty.close())
      // Gone before it opened the pipes, it leaves the other channel waiting; after that, output may still be on its way.
      tty.once('close', () => {
        const silent = setTimeout(() => stream.close(), silentMs).unref()
        stream.on('data', () => silent.refresh())
        stream.once('close', () => clearTimeout(silent))
      })
    }
    try {
      client.exec(command, { pty: { term: 'dumb' } }, opened)
    } catch {
      // The connection has just ended.
    }
  }
  if (start.onTty) {
    stream.once('close', () => {
      ended = true
    })
    openTty(start.onTty)
  }
  const listen = (chunk: Buffer) => {
    seen = (seen + chunk.toString('latin1')).slice(-4000)
    if (seen.includes(start.ready!)) {
      stream.stderr.off('data', listen)
      calls.go()
    } else if (start.prompt && seen.includes(start.prompt)) answer(stream)
  }
  if (start.ready) stream.stderr.on('data', listen)
  else calls.go()
}

function wrongPassword({ host, tool }: Become): Failure {
  return new Failure(exits.unreachable, {
    code: 'SUDO_FAILED',
    message: `${host.user} may not become root: ${tool} did not take the password`,
    where: host.name,
    evidence: [{ source: `${host.name}: ${tool}`, line: 'it asked for the password again; it was given once only' }],
    fix: 'give the right one: --ask-become-pass, --become-password-fd or K8SNET_BECOME_PASSWORD',
  })
}

function noTerminal({ host, tool }: Become, said: string): Failure {
  return new Failure(exits.unreachable, {
    code: 'SUDO_FAILED',
    message: `${host.user} may not become root: ${tool} wants a terminal, and sshd gives none`,
    where: host.name,
    evidence: [{ source: `${host.name}: sshd`, line: said }],
    fix: `allow it: PermitTTY yes in sshd_config; or let ${tool} go without`,
  })
}
