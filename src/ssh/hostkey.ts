import { createHash } from 'node:crypto'
import type { ServerHostKeyAlgorithm } from 'ssh2'
import type { Host } from '../model/inventory.ts'
import { quote } from '../model/shell.ts'
import type { Trouble } from '../model/trouble.ts'
import { type KnownLine, knownName, linesFor, typeOf } from './known-hosts.ts'

/** What a host may show: a key pinned in the inventory, or the lines of known_hosts that speak of it. */
export type Trust =
  | { readonly pinned: string }
  | { readonly file: string; readonly lines: readonly KnownLine[]; readonly unreadable?: string }

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

/** What is known of a host in a known_hosts file. */
export function trustOf(host: Host, known: readonly KnownLine[], unreadable?: string): Trust {
  if (host.hostKey) return { pinned: host.hostKey }
  const lines = linesFor(known, knownName(host.address, host.port))
  return { file: host.knownHosts, lines, ...(unreadable ? { unreadable } : {}) }
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
export function judge(host: Host, trust: Trust, key: Buffer): Trouble | null {
  const shown = fingerprint(key)
  const at = { where: host.name }
  const showed = { source: `${host.address} port ${host.port}`, line: `${typeOf(key)} ${shown}` }
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
      evidence: [showed, evidenceOf(trust.file, revoked)],
      fix: 'do not connect to it; give the host a new key',
    }
  }
  const plain = trust.lines.filter((l) => l.marker === null)
  if (plain.some((l) => l.key.equals(key))) return null
  if (plain.length > 0) {
    const name = quote(knownName(host.address, host.port))
    return {
      code: 'HOSTKEY_CHANGED',
      message: 'it showed another host key than the one known',
      ...at,
      evidence: [showed, ...plain.map((l) => evidenceOf(trust.file, l))],
      fix: `find out why; only if the host was set up anew: ssh-keygen -f ${quote(trust.file)} -R ${name}, and pin what it shows: ${lookUp(key)}`,
    }
  }
  const authority = trust.lines.find((l) => l.marker === 'cert-authority')
  const why = authority
    ? [
        {
          source: `${trust.file}:${authority.line}`,
          line: '@cert-authority: certificates of hosts are not understood, so this line trusts nothing',
        },
      ]
    : trust.unreadable
      ? [{ source: trust.file, line: trust.unreadable }]
      : []
  return {
    code: 'HOSTKEY_UNKNOWN',
    message: `its host key is neither pinned nor in ${trust.file}`,
    ...at,
    evidence: [showed, ...why],
    fix: `compare it on the host (${lookUp(key)}), then write into the inventory: hosts.${host.name}.hostKey: ${shown}; or: ssh-keyscan -p ${host.port} ${quote(host.address)} >> ${quote(trust.file)}`,
  }
}

function evidenceOf(file: string, line: KnownLine): { source: string; line: string } {
  return { source: `${file}:${line.line}`, line: `${line.type} ${fingerprint(line.key)}` }
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
