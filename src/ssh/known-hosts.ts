import { createHmac, timingSafeEqual } from 'node:crypto'

/** One line of a known_hosts file that names a key: the format of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
export interface KnownLine {
  /** From 1 */
  readonly line: number
  readonly marker: 'cert-authority' | 'revoked' | null
  /** As written, split at commas; or one hashed name. */
  readonly names: readonly string[]
  /** ssh-ed25519 */
  readonly type: string
  /** The key as the host shows it. */
  readonly key: Buffer
}

/** Reads a known_hosts file. Lines that are no entry are left out, so that they can trust nothing. */
export function parseKnownHosts(text: string): KnownLine[] {
  return text.split('\n').flatMap((raw, i): KnownLine[] => {
    const words = raw.trim().split(/[ \t]+/)
    const first = words[0] ?? ''
    if (first === '' || first.startsWith('#')) return []
    const marker = first.startsWith('@') ? first.slice(1) : null
    if (marker !== null) words.shift()
    if (marker !== null && marker !== 'cert-authority' && marker !== 'revoked') return []
    const [names = '', type = '', base64 = ''] = words
    const key = Buffer.from(base64, 'base64')
    return type !== '' && typeOf(key) === type ? [{ line: i + 1, marker, names: names.split(','), type, key }] : []
  })
}

/** The lines that speak of a host; `name` is `address`, or `[address]:port` where the port is not 22. */
export function linesFor(lines: readonly KnownLine[], name: string): KnownLine[] {
  return lines.filter((line) => names(line, name))
}

/** How known_hosts writes a host. */
export function knownName(address: string, port: number): string {
  const lower = address.toLowerCase()
  return port === 22 ? lower : `[${lower}]:${port}`
}

/** The type that a key blob itself names: its first length-prefixed string (RFC 4253, 6.6). Empty where it is no key. */
export function typeOf(key: Buffer): string {
  if (key.length < 4) return ''
  const length = key.readUInt32BE(0)
  return length > 64 || key.length < 4 + length ? '' : key.toString('latin1', 4, 4 + length)
}

function names(line: KnownLine, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(line.names[0] ?? '')
  if (hashed) return line.names.length === 1 && hashes(hashed[1]!, hashed[2]!, name)
  let found = false
  for (const pattern of line.names) {
    const negated = pattern.startsWith('!')
    if (!globs((negated ? pattern.slice(1) : pattern).toLowerCase(), name)) continue
    if (negated) return false
    found = true
  }
  return found
}

function hashes(salt: string, digest: string, name: string): boolean {
  const want = Buffer.from(digest, 'base64')
  const is = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
  return want.length === is.length && timingSafeEqual(want, is)
}

/** `*` and `?` only; brackets stand for themselves. Linear: it goes back to the last star only. */
export function globs(p: string, name: string): boolean {
  let [i, j, star, mark] = [0, 0, -1, 0]
  while (j < name.length) {
    if (p[i] === '*') {
      star = i++
      mark = j
    } else if (i < p.length && (p[i] === '?' || p[i] === name[j])) {
      i++
      j++
    } else if (star >= 0) {
      i = star + 1
      j = ++mark
    } else return false
  }
  while (p[i] === '*') i++
  return i === p.length
}
