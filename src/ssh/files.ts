import fs from 'node:fs/promises'
import { type AgentKeys, agentKeys } from './agent.ts'
import { type AskPassphrase, type KeyFile, readKey } from './keys.ts'
import { type KnownLine, parseKnownHosts } from './known-hosts.ts'

/** A known_hosts file. */
export interface KnownFile {
  readonly path: string
  readonly lines: readonly KnownLine[]
  /** Why it could not be read; a file that is not there knows nothing. */
  readonly fault?: string
}

/** What many hosts share: each file is read and parsed once, each agent asked once. */
export interface Files {
  key(path: string): Promise<KeyFile>
  known(path: string): Promise<KnownFile>
  agent(socket: string): Promise<AgentKeys>
}

export function filesOf(options: {
  readonly readFile?: (path: string) => Promise<Buffer>
  readonly passphrase?: AskPassphrase | undefined
}): Files {
  const readFile = options.readFile ?? ((path: string) => fs.readFile(path))
  return {
    key: once((path) => readKey(path, readFile, options.passphrase)),
    known: once(async (path) => {
      try {
        return { path, lines: parseKnownHosts((await readFile(path)).toString('utf8')) }
      } catch (error) {
        return { path, lines: [], fault: (error as Error).message }
      }
    }),
    agent: once(agentKeys),
  }
}

/** One or several values, as an inventory writes them. */
export function listOf<T extends string>(value: T | readonly T[] | undefined): readonly T[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

function once<T>(make: (path: string) => Promise<T>): (path: string) => Promise<T> {
  const made = new Map<string, Promise<T>>()
  return (path) => {
    const found = made.get(path) ?? make(path)
    made.set(path, found)
    return found
  }
}
