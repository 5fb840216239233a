import type { AnyAuthMethod, AuthenticationType, NextAuthHandler, ParsedKey } from 'ssh2'
import type { Door } from '../model/inventory.ts'
import type { Secret } from '../model/secret.ts'
import { quote } from '../model/shell.ts'
import { type Evidence, exits, Failure, type Trouble } from '../model/trouble.ts'
import { type AgentKeys, agentKey, OneKeyAgent } from './agent.ts'
import { type Files, listOf } from './files.ts'
import type { KeyFile } from './keys.ts'

/** The ways to log in to one machine, in the order they are tried. Each is tried once: a second try would be a blind one. */
export interface Login {
  begin(): LoginTry
}

/** One connection's going through them. */
export interface LoginTry {
  /** For ssh2: names the next way, or false. */
  readonly next: (left: AuthenticationType[] | null, partial: boolean | null, next: NextAuthHandler) => void
  /** What was offered so far, for messages: paths of keys, `agent: COMMENT`, `a password`. */
  tried(): readonly string[]
  /** Until when somebody was asked for a passphrase, by performance.now(): 0 where nobody was, Infinity while it lasts. */
  waitedUntil(): number
}

interface Identity {
  readonly from: string
  readonly way: AnyAuthMethod
}

/**
 * What there is to log in with: the named keys, from their files or from the agent; where none is named, the agent's keys and
 * then the usual files; at last the password. Failure AUTH_FAILED where there is no way at all.
 */
export async function loginOf(
  door: Door,
  files: Files,
  { agentSocket, password }: { readonly agentSocket?: string | undefined; readonly password?: Secret | undefined },
): Promise<Login> {
  const named = listOf(door.key)
  const usual = named.length > 0 ? [] : (door.config?.usualKeys ?? [])
  const own = await Promise.all([...named, ...usual].map((path) => files.key(path)))
  const socket = socketOf(door, agentSocket)
  // A key that is at hand needs no agent, and asking one costs a connection to it.
  const needsAgent = socket !== undefined && !(named.length > 0 && own.every((it) => 'key' in it))
  const agent = needsAgent ? await files.agent(socket) : undefined
  const waiting = { count: 0, until: 0 }
  const only = named.length > 0 || door.config?.identitiesOnly === true
  const identities = await identitiesOf(door, own, agent, only, waiting)
  if (identities.length === 0 && !password) throw new Failure(exits.unreachable, noWay(door, named, own, agent))
  return { begin: () => beginOf(door, identities, password, waiting) }
}

/** As OpenSSH orders them: keys of the agent that are named, its others, then files that no agent holds. */
async function identitiesOf(
  door: Door,
  own: readonly KeyFile[],
  agent: AgentKeys | undefined,
  only: boolean,
  waiting: { count: number; until: number },
): Promise<Identity[]> {
  const username = door.user
  const held = (half: ParsedKey | undefined) =>
    half && agent?.keys.find((it) => it.half.getPublicSSH().equals(half.getPublicSSH()))
  const fromAgent = (it: AgentKeys['keys'][number], name?: string): Identity => ({
    from: `agent: ${name ?? it.comment}`,
    way: { type: 'agent', username, agent: agentKey(agent!.socket, it.half) },
  })
  const mine = await Promise.all(
    own.map(async (file): Promise<Identity | undefined> => {
      if ('fault' in file) return undefined
      const half = 'key' in file ? file.key : 'half' in file ? file.half : file.locked.half
      const there = held(half)
      if (there) return fromAgent(there, file.path)
      if ('key' in file) return { from: file.path, way: { type: 'publickey', username, key: file.key } }
      if (!('locked' in file) || !file.locked.unlock) return undefined
      const unlock = async () => {
        waiting.count++
        return file.locked.unlock!().finally(() => {
          waiting.count--
          waiting.until = performance.now()
        })
      }
      // Without its public half the key cannot be offered before it is open.
      const known = half ?? (await unlock().catch(() => undefined))
      const sign = async (data: Buffer, hash: string | undefined) => (await unlock()).sign(data, hash)
      return known && { from: file.path, way: { type: 'agent', username, agent: new OneKeyAgent(known, sign) } }
    }),
  )
  const found = mine.filter((it) => it !== undefined)
  const isAgents = (it: Identity) => it.from.startsWith('agent: ')
  const named = new Set(own.map((file) => `agent: ${file.path}`))
  const others = only
    ? []
    : (agent?.keys ?? []).filter(({ half }) => !own.some((file) => blobOf(file)?.equals(half.getPublicSSH())))
  return [
    ...found.filter((it) => isAgents(it) && named.has(it.from)),
    ...others.map((it) => fromAgent(it)),
    ...found.filter((it) => !isAgents(it)),
  ]
}

function blobOf(file: KeyFile): Buffer | undefined {
  if ('fault' in file) return undefined
  return ('key' in file ? file.key : 'half' in file ? file.half : file.locked.half)?.getPublicSSH()
}

function socketOf(door: Door, usual: string | undefined): string | undefined {
  const own = door.config?.identityAgent
  return own === 'none' ? undefined : (own ?? usual)
}

function beginOf(
  door: Door,
  identities: readonly Identity[],
  password: Secret | undefined,
  waiting: { readonly count: number; readonly until: number },
): LoginTry {
  const left = [...identities]
  const tried: string[] = []
  let asked: 'no' | 'password' | 'done' = password ? 'no' : 'done'
  return {
    tried: () => tried,
    waitedUntil: () => (waiting.count > 0 ? Number.POSITIVE_INFINITY : waiting.until),
    next(methods, _partial, next) {
      const may = (method: string) => methods === null || (methods as string[]).includes(method)
      const identity = may('publickey') ? left.shift() : undefined
      if (identity) {
        tried.push(identity.from)
        return next(identity.way)
      }
      if (asked === 'no' && may('password')) {
        asked = 'password'
        tried.push('a password')
        return next({ type: 'password', username: door.user, password: password!.reveal() })
      }
      // The same password is asked for in another way only where the server did not look at it before.
      if (asked === 'no' || (asked === 'password' && !may('password'))) {
        asked = 'done'
        if (may('keyboard-interactive')) {
          if (!tried.includes('a password')) tried.push('a password')
          return next(questionsOf(door.user, password!, tried))
        }
      }
      next(false as unknown as AuthenticationType)
    },
  }
}

/** Answers one hidden question with the password; whatever else is asked for, nobody here knows. */
function questionsOf(username: string, password: Secret, tried: string[]): AnyAuthMethod {
  let given = false
  return {
    type: 'keyboard-interactive',
    username,
    prompt: (_name, _instructions, _language, prompts, finish) => {
      finish(
        prompts.map(({ prompt, echo }) => {
          if (echo || given) {
            tried.push(`nothing for "${prompt.trim()}"`)
            return ''
          }
          given = true
          return password.reveal()
        }),
      )
    },
  }
}

function noWay(door: Door, named: readonly string[], own: readonly KeyFile[], agent: AgentKeys | undefined): Trouble {
  const told = own.filter((file) => named.length > 0 || !('fault' in file && file.fault === 'missing'))
  const evidence: Evidence[] = told.map((file) => ({ source: file.path, line: saidOf(file) }))
  if (agent)
    evidence.push({
      source: 'SSH agent',
      line: agent.fault ?? `it holds ${agent.keys.length} keys, none of them this one`,
    })
  const at = { code: 'AUTH_FAILED' as const, where: door.name, ...(evidence.length > 0 ? { evidence } : {}) }
  const first = own[0]
  if (first && named.length > 0) {
    const path = first.path
    if ('locked' in first)
      return {
        ...at,
        message: `the key ${path} is encrypted with a passphrase, and nobody can be asked for it`,
        fix: `let the agent hold it: ssh-add ${quote(path)}; or run this in a terminal`,
      }
    if ('half' in first || ('fault' in first && first.fault === 'damaged'))
      return {
        ...at,
        message: `the key ${path} is no private key that can be used${'half' in first ? ', and no agent holds its private half' : ''}`,
        fix: 'name the private key, or let the agent hold it; make one with: ssh-keygen -t ed25519',
      }
    return {
      ...at,
      message: `the key ${path} cannot be read`,
      fix: 'write the path of a private key into the inventory: ssh.key',
    }
  }
  return {
    ...at,
    message: `there is no key to log in with: the inventory names none, and ${agent ? (agent.fault ? 'the SSH agent does not answer' : 'the SSH agent holds none') : 'no SSH agent runs here'}`,
    fix: 'write ssh.key into the inventory, or start an agent: eval "$(ssh-agent)" && ssh-add; or log in with a password: --ask-pass',
  }
}

function saidOf(file: KeyFile): string {
  if ('fault' in file) return file.said
  if ('locked' in file) return file.locked.said
  return 'half' in file ? 'it holds a public key' : 'it is well'
}
