/**
 * Takes secrets out of texts of unknown origin: logs, configuration files, what a command printed. Two ways: by value, where
 * the secret is known, and by form, where it is not. Rather too much than too little: what is masked reads `***`.
 * A function from here is the last thing before a text is written to a record or a support archive.
 */

/** Takes secrets out of a text. */
export type Mask = (text: string) => string

/** Shorter values are found in ordinary words, so they are not looked for. */
const shortest = 4

/** A mask for these values as well as for everything that has the form of a secret. */
export function maskOf(values: readonly string[]): Mask {
  const known = [...new Set(values.filter((value) => value.length >= shortest))].sort((a, b) => b.length - a.length)
  return (text) => maskForms(known.reduce((left, value) => left.replaceAll(value, '***'), text))
}

/** Masks every string within a value that is going to be JSON: keys stay. */
export function maskedJson(value: unknown, mask: Mask, indent?: number): string {
  return JSON.stringify(value, (_, it: unknown) => (typeof it === 'string' ? mask(it) : it), indent)
}

/** Names whose value is a secret, as the last word of a key: client-key-data, DB_PASSWORD, bearerToken. */
const names = [
  'pass(?:word|wd|phrase)',
  'token(?:-secret)?',
  'secret(?:[-_]?(?:access[-_]?)?key)?',
  'secretbox',
  'api[-_]?key',
  'access[-_]?key',
  'private[-_]?key',
  'certificate[-_]?key',
  '(?:client-)?key-data',
  'encryption[-_]?key',
  'credentials?',
  'auth',
  'id-token',
  'refresh-token',
].join('|')
const value = `"(?:[^"\\\\\\n]|\\\\.)*"|'[^'\\n]*'|[^\\s"',;&}\\])]+`
/** Values after such a name that are plainly none. */
const harmless =
  /^["']?(?:true|false|null|none|nil|\*\*\*|\d{1,3}|\d+[hms](?:\d+[ms])*|<[a-z ]*>|\{|\[|\||>-?|-)["']?$/i

const keyed = new RegExp(
  `((?:^|[^A-Za-z0-9])[\\w.-]{0,60}?(?:${names})\\\\?["']?[ \\t]*[:=][ \\t]*\\\\?)(${value})`,
  'gim',
)
const flagged = new RegExp(`(--[\\w-]{0,40}?(?:${names})[ =])(${value})`, 'gi')
const header =
  /\b((?:proxy-)?authorization\\?["']?[ \t]*[:=][ \t]*\\?["']?(?:(?:bearer|basic|digest|token)[ \t]+)?)[^\s"'\\]+/gi
const bearer = /\b(bearer[ \t]+)[A-Za-z0-9._~+/-]{16,}=*/gi
/** The part before the dot is the token's public name. */
const joinToken = /(?<![A-Za-z0-9.])([a-z0-9]{6})\.[a-z0-9]{16}(?![A-Za-z0-9])/g
const webToken = /\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*/g
const urlPassword = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:/@'"]*):[^\s/@'"]+@/gi
const privateKey = /-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----(?:[\s\S]*?-----END \1-----|[A-Za-z0-9+/=\s\\:,-]*)/g
/** The rest of a key whose beginning was cut off. */
const keyEnd = /(?:^[A-Za-z0-9+/=]{16,}\r?\n)+(?=-----END [A-Z0-9 ]*PRIVATE KEY-----)/gm
/** `-----BEGIN` in base64, as kubeconfigs and Secrets hold it. */
const encodedPem = /LS0tLS1CRUdJTi[A-Za-z0-9+/]+={0,2}/g

function maskForms(text: string): string {
  return text
    .replace(privateKey, '-----BEGIN $1-----***')
    .replace(keyEnd, '***\n')
    .replace(encodedPem, (found) => (isKey(found) ? '***' : found))
    .replace(header, '$1***')
    .replace(bearer, '$1***')
    .replace(webToken, '***')
    .replace(joinToken, '$1.***')
    .replace(urlPassword, '$1:***@')
    .replace(keyed, blank)
    .replace(flagged, blank)
}

function blank(found: string, before: string, secret: string): string {
  if (harmless.test(secret)) return found
  const [sign] = /^["']/.exec(secret) ?? ['']
  return `${before}${sign}***${sign}`
}

function isKey(base64: string): boolean {
  return Buffer.from(base64.slice(0, 120), 'base64').toString('latin1').includes('PRIVATE KEY')
}
