import { createHash } from 'node:crypto'
import type { ServerHostKeyAlgorithm } from 'ssh2'
import type { Door } from '../model/inventory.ts'
import { quote } from '../model/shell.ts'
import type { Trouble } from '../model/trouble.ts'
import { addressOf } from './dial.ts'
import { type KnownFile, listOf } from './files.ts'
import { type KnownLine, knownName, linesFor, typeOf } from './known-hosts.ts'

/** What a machine may show: a key pinned in the inventory, or the lines of known_hosts files that speak of it. */
export type Trust =
  | { readonly pinned: string }
  | { readonly files: readonly KnownFile[]; readonly lines: readonly Located[] }
type Located = KnownLine & { readonly file: string }

/** Host key algorithms that are offered, the quickest first. ssh-rsa is not: it signs with SHA-1. */
const algorithms: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
]

/** `SHA256:…` as ssh-keygen -l prints it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** What is known of a machine: its pin alone, where there is one; otherwise what its known_hosts files say of it. */
export async function trustOf(door: Door, read: (path: string) => Promise<KnownFile>): Promise<Trust> {
  if (door.hostKey) return { pinned: door.hostKey }
  const files = await Promise.all(listOf(door.knownHosts).map(read))
  const name = knownNameOf(door)
  return {
    files,
    lines: files.flatMap(({ path, lines }) => linesFor(lines, name).map((it) => ({ ...it, file: path }))),
  }
}

/** The name under which known_hosts files have a machine. */
export function knownNameOf(door: Door): string {
  return door.config?.hostKeyAlias ?? knownName(addressOf(door), door.port)
}

/**
 * The order to offer: known types first, since a server answers with the first that both have, and another key than the known
 * one would look like a change. `except` leaves out types that were shown already.
 */
export function algorithmsFor(trust: Trust, except: readonly string[] = []): ServerHostKeyAlgorithm[] {
  const known = 'pinned' in trust ? [] : trust.lines.filter((l) => l.marker === null).map((l) => l.type)
  const left = algorithms.filter((a) => !except.includes(keyType(a)))
  return [...left.filter((a) => known.includes(keyType(a))), ...left.filter((a) => !known.includes(keyType(a)))]
}

/** Null when the key may be trusted; otherwise what is wrong with it. */
export function judge(door: Door, trust: Trust, key: Buffer): Trouble | null {
  const shown = fingerprint(key)
  const at = { where: door.name }
  const showed = { source: `${addressOf(door)} port ${door.port}`, line: `${typeOf(key)} ${shown}` }
  if ('pinned' in trust) {
    if (trust.pinned === shown) return null
    const message = 'it showed another host key than the one pinned in the inventory'
    return {
      code: 'HOSTKEY_CHANGED',
      message,
      ...at,
      evidence: [showed, { source: 'inventory: hostKey', line: trust.pinned }],
      fix: `find out why; only if the host was set up anew, compare on it and pin the new one: ${lookUp(key)}`,
    }
  }
  const revoked = trust.lines.find((l) => l.marker === 'revoked' && l.key.equals(key))
  if (revoked) {
    return {
      code: 'HOSTKEY_CHANGED',
      message: 'it showed a host key that is marked @revoked',
      ...at,
      evidence: [showed, evidenceOf(revoked)],
      fix: 'do not connect to it; give the host a new key',
    }
  }
  const plain = trust.lines.filter((l) => l.marker === null)
  if (plain.some((l) => l.key.equals(key))) return null
  if (plain.length > 0) {
    const remove = [...new Set(plain.map((l) => l.file))]
      .map((file) => `ssh-keygen -f ${quote(file)} -R ${quote(knownNameOf(door))}`)
      .join('; ')
    return {
      code: 'HOSTKEY_CHANGED',
      message: 'it showed another host key than the one known',
      ...at,
      evidence: [showed, ...plain.map(evidenceOf)],
      fix: `find out why; only if the host was set up anew: ${remove}, and pin what it shows: ${lookUp(key)}`,
    }
  }
  const authorities = trust.lines.filter((l) => l.marker === 'cert-authority')
  const faults = trust.files.filter(({ fault }) => fault !== undefined)
  // Of several files it is common that some are not there.
  const told =
    faults.length === trust.files.length ? faults.slice(0, 1) : faults.filter(({ fault }) => !/ENOENT/.test(fault!))
  const why = [
    ...authorities.map(({ file, line }) => ({
      source: `${file}:${line}`,
      line: '@cert-authority: certificates of hosts are not understood, so this line trusts nothing',
    })),
    ...told.map(({ path, fault }) => ({ source: path, line: fault! })),
  ]
  const there = trust.files.filter(({ fault }) => fault === undefined).map(({ path }) => path)
  const first = trust.files[0]?.path ?? ''
  return {
    code: 'HOSTKEY_UNKNOWN',
    message: `its host key is neither pinned nor in ${(there.length > 0 ? there : [first]).join(', ')}`,
    ...at,
    evidence: [showed, ...why],
    fix: `compare it on the host (${lookUp(key)}), then write into the inventory: ${pinOf(door, shown)}${keyscan(door, first)}`,
  }
}

/** The line of an inventory that pins a key. */
export function pinOf(door: Door, shown: string): string {
  return 'role' in door
    ? `hosts.${door.name}.hostKey: ${shown}`
    : `jump: { address: ${door.address}, hostKey: "${shown}" }`
}

/** What writes the key into known_hosts; ssh-keyscan goes through no bastion, and knows no alias. */
function keyscan(door: Door & { readonly jump?: readonly Door[] }, file: string): string {
  if (door.jump?.length || door.config?.hostKeyAlias || file === '') return ''
  return `; or: ssh-keyscan -p ${door.port} ${quote(addressOf(door))} >> ${quote(file)}`
}

function evidenceOf(line: Located): { source: string; line: string } {
  return { source: `${line.file}:${line.line}`, line: `${line.type} ${fingerprint(line.key)}` }
}

function lookUp(key: Buffer): string {
  const kind = typeOf(key)
    .replace(/^ssh-/, '')
    .replace(/^ecdsa-.*/, 'ecdsa')
  return `ssh-keygen -lf /etc/ssh/ssh_host_${kind}_key.pub`
}

function keyType(algorithm: string): string {
  return algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm
}
