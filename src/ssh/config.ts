import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Door, Host, SshConfig } from '../model/inventory.ts'
import { parseJump } from '../model/jump.ts'
import { exits, Failure, type Trouble } from '../model/trouble.ts'
import { alike, shapeOf } from './config-files.ts'

/** Whose ssh configuration counts. */
export interface ConfigOwner {
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** The machine's own configuration; /etc/ssh/ssh_config */
  readonly system?: string
}

/** The owner, with the account's own name and home, which ssh goes by; looked up once. */
interface Owner extends ConfigOwner {
  readonly account: { readonly username: string; readonly homedir: string }
}

/** What `ssh -G` prints: keywords in lower case, each with its values. */
type Answer = ReadonlyMap<string, readonly string[]>
type Ask = (door: Door) => Answer | null

const mostHops = 8

/**
 * Fills in what the inventory does not say from ~/.ssh/config and /etc/ssh/ssh_config, as `ssh -G` understands them: one call
 * for all hosts that no pattern there tells apart, and none where nothing there matters. Where there is no ssh, nothing is read.
 * Failure SSH_CONFIG (exit 2): a ProxyCommand, or a configuration that ssh refuses.
 */
export function withSshConfig(hosts: readonly Host[], whose: ConfigOwner): readonly Host[] {
  const owner: Owner = {
    home: whose.home,
    env: whose.env,
    ...(whose.system && { system: whose.system }),
    account: userInfo(),
  }
  const ask = asker(owner)
  const troubles: Trouble[] = []
  // Hosts that share their bastions in the inventory go on sharing them.
  const chains = new Map<readonly Door[], readonly Door[]>()
  const made = hosts.map((host): Host => {
    try {
      const { door, jump } = resolve(host, ask, owner, [])
      if (!host.jump) return { ...host, ...door, ...(jump.length > 0 ? { jump } : {}) }
      const chain = chains.get(host.jump) ?? chainOf(host.jump, ask, owner, [])
      chains.set(host.jump, chain)
      return { ...host, ...door, jump: chain }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      troubles.push(...error.troubles.map((it) => ({ ...it, where: host.name })))
      return host
    }
  })
  if (troubles.length > 0) throw new Failure(exits.badInput, troubles)
  return made
}

/** A door with its settings, and the bastions that its ProxyJump names. `on` is what already leads here: a circle ends there. */
function resolve(door: Door & { readonly jump?: readonly Door[] }, ask: Ask, owner: Owner, on: readonly string[]) {
  const answer = ask(door)
  const filled = fill(door, answer, owner)
  if (!answer || door.jump || on.includes(door.address) || on.length >= mostHops) return { door: filled, jump: [] }
  const command = one(answer, 'proxycommand')
  if (command && command !== 'none')
    throw refused(`~/.ssh/config asks for a ProxyCommand, which is not run: ${command}`)
  const words = one(answer, 'proxyjump')
  if (!words || words === 'none') return { door: filled, jump: [] }
  const bastions = expand(words, filled, owner)
    .split(',')
    .map((word): Door => {
      const it = parseJump(word)
      if (!it) throw refused(`~/.ssh/config has a ProxyJump that is no [user@]host[:port]: ${word}`)
      const silent = { user: it.user, port: it.port, knownHosts: undefined }
      return {
        port: 22,
        user: owner.account.username,
        knownHosts: door.knownHosts,
        ...it,
        name: `bastion ${it.address}`,
        unsaid: (['user', 'port', 'knownHosts'] as const).filter((what) => silent[what] === undefined),
      }
    })
  return { door: filled, jump: chainOf(bastions, ask, owner, [...on, door.address]) }
}

/** Bastions in their order; the first one's own ProxyJump leads to it. */
function chainOf(bastions: readonly Door[], ask: Ask, owner: Owner, on: readonly string[]): readonly Door[] {
  const [first, ...rest] = bastions
  if (!first) return []
  const { door, jump } = resolve(first, ask, owner, on)
  return [...jump.filter((it) => it.address !== first.address), door, ...rest.map((it) => fill(it, ask(it), owner))]
}

function fill<D extends Door>(door: D, answer: Answer | null, owner: Owner): D {
  const unsaid = (what: 'user' | 'port' | 'knownHosts') => door.unsaid?.includes(what) ?? false
  const user = answer && unsaid('user') ? one(answer, 'user') : undefined
  const port = answer && unsaid('port') ? Number(one(answer, 'port')) : undefined
  const known = { ...door, ...(user ? { user } : {}), ...(port ? { port } : {}) }
  return {
    ...known,
    config: settings(known, answer, owner),
    ...(unsaid('knownHosts') ? { knownHosts: knownHosts(answer, owner) } : {}),
  }
}

function settings(door: Door, answer: Answer | null, owner: Owner): SshConfig {
  if (!answer) return { usualKeys: ['id_ed25519', 'id_ecdsa', 'id_rsa'].map((it) => join(owner.home, '.ssh', it)) }
  const [hostName, alias, agent, timeout] = ['hostname', 'hostkeyalias', 'identityagent', 'connecttimeout'].map((it) =>
    one(answer, it),
  )
  const inside = { ...door, config: hostName ? { hostName } : {} }
  const socket = agent && agent !== 'SSH_AUTH_SOCK' ? expand(agent, inside, owner) : undefined
  return {
    ...(hostName && hostName !== door.address ? { hostName } : {}),
    ...(alias ? { hostKeyAlias: alias } : {}),
    ...(socket ? { identityAgent: socket } : {}),
    ...(one(answer, 'identitiesonly') === 'yes' ? { identitiesOnly: true } : {}),
    ...(Number(timeout) > 0 ? { connectTimeoutMs: Number(timeout) * 1000 } : {}),
    usualKeys: (answer.get('identityfile') ?? []).filter((it) => it !== 'none').map((it) => expand(it, inside, owner)),
  }
}

function knownHosts(answer: Answer | null, { home, account }: Owner): readonly string[] {
  const usual = (dir: string) => ['known_hosts', 'known_hosts2'].map((it) => join(dir, '.ssh', it))
  // ssh takes the home of the account; what it says by default is meant for the home that is in use.
  const own = answer && one(answer, 'userknownhostsfile')
  const ofAccount = own === usual(account.homedir).join(' ')
  const all = answer && one(answer, 'globalknownhostsfile')
  return [
    ...(own && !ofAccount ? own.split(' ') : usual(home)),
    ...(all ? all.split(' ') : ['/etc/ssh/ssh_known_hosts', '/etc/ssh/ssh_known_hosts2']),
  ].filter((it) => it !== 'none')
}

/** ~, tokens and variables of ssh_config(5); a token that is not known here stays, and its file will not be found. */
function expand(text: string, door: Door, { home, env, account }: Owner): string {
  const hostName = door.config?.hostName ?? door.address
  const tokens: Record<string, string> = {
    '%': '%',
    h: hostName,
    n: door.address,
    p: String(door.port),
    r: door.user,
    u: account.username,
    d: home,
    k: door.config?.hostKeyAlias ?? door.address,
  }
  return text
    .replace(/^~(?=\/|$)/, home)
    .replace(/%(.)/g, (all, token: string) => tokens[token] ?? all)
    .replace(/\$\{(\w+)\}|^\$(\w+)$/g, (all, braced?: string, bare?: string) => env[braced ?? bare ?? ''] ?? all)
}

function asker(owner: Owner): Ask {
  const system = owner.system ?? '/etc/ssh/ssh_config'
  const own = join(owner.home, '.ssh', 'config')
  const shape = shapeOf([own, system], owner.home)
  if (!shape.matters) return () => null
  // ssh reads the account's file by itself; another home, or another system file, has to be named.
  const usual = owner.home === owner.account.homedir && owner.system === undefined
  const answers = new Map<string, Answer | null>()
  return (door) => {
    const said = (what: 'user' | 'port') => !(door.unsaid ?? []).includes(what)
    const args = [
      '-G',
      ...(usual ? [] : ['-F', existsSync(own) ? own : system]),
      ...(said('user') ? ['-l', door.user] : []),
      ...(said('port') ? ['-p', String(door.port)] : []),
    ]
    const key = `${alike(shape, door.address)} ${args.join(' ')}`
    const found = answers.get(key)
    const answer = found === undefined ? sshG([...args, '--', door.address]) : found
    answers.set(key, answer)
    // The group's answer names the host it was asked for; the others go by their own address.
    if (!answer || found === undefined || shape.perHost) return answer
    return one(answer, 'hostname') === one(answer, 'host') ? new Map([...answer, ['hostname', [door.address]]]) : answer
  }
}

/** One call of `ssh -G`: 7 ms. Null where there is no ssh. */
function sshG(args: readonly string[]): Answer | null {
  let text: string
  try {
    text = execFileSync('ssh', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 })
  } catch (error) {
    const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: string }
    if (code === 'ENOENT') return null
    throw refused('ssh does not understand its configuration', [
      { source: `ssh ${args.join(' ')}`, line: stderr?.trim() || message },
    ])
  }
  const answer = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const at = line.indexOf(' ')
    if (at > 0) answer.set(line.slice(0, at), [...(answer.get(line.slice(0, at)) ?? []), line.slice(at + 1)])
  }
  // ssh before 9 does not say whom it was asked about.
  return answer.has('host') ? answer : new Map([...answer, ['host', [args.at(-1)!]]])
}

const one = (answer: Answer, keyword: string): string | undefined => answer.get(keyword)?.[0]

function refused(message: string, evidence?: Trouble['evidence']): Failure {
  return new Failure(exits.badInput, {
    code: 'SSH_CONFIG',
    message,
    ...(evidence ? { evidence } : {}),
    fix: evidence
      ? 'correct the line'
      : 'write ProxyJump in its place, or ssh.jump in the inventory (jump: none for a way without bastions)',
  })
}
