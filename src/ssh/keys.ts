import { createPrivateKey, sign } from 'node:crypto'
import type { ParsedKey } from 'ssh2'
import ssh2 from 'ssh2'
import type { Secret } from '../model/secret.ts'

/** A key file as logins use it. Reading, parsing and decrypting are slow, so they are done once per file. */
export type KeyFile =
  | { readonly path: string; readonly key: ParsedKey }
  | { readonly path: string; readonly locked: Locked }
  /** The public half only: an agent may hold the other. */
  | { readonly path: string; readonly half: ParsedKey }
  | { readonly path: string; readonly fault: 'missing' | 'damaged'; readonly said: string }

/** A private key that is encrypted with a passphrase. */
export interface Locked {
  /** Its public half, where that can be read without the passphrase. */
  readonly half?: ParsedKey
  /** What the parser said. */
  readonly said: string
  /** Asks for the passphrase, once however many logins want it. Rejects where nobody knows it; undefined where nobody is there. */
  readonly unlock?: () => Promise<ParsedKey>
}

/** Asks a person for the passphrase of a key; `again` after a wrong one. Undefined is no answer. */
export type AskPassphrase = (path: string, again: boolean) => Promise<Secret | undefined>

const mostTries = 3

/** Reads a private key, or a public one whose other half an agent may hold; as OpenSSH does, also where only PATH.pub is there. */
export async function readKey(
  path: string,
  readFile: (path: string) => Promise<Buffer>,
  ask?: AskPassphrase,
): Promise<KeyFile> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    const half = await halfOf(path, readFile)
    return half ? { path, half } : { path, fault: 'missing', said: (error as Error).message }
  }
  const key = parsed(bytes)
  if (!(key instanceof Error)) return key.isPrivateKey() ? { path, key } : { path, half: key }
  if (!/encrypted/i.test(key.message)) return { path, fault: 'damaged', said: key.message }
  const half = publicPart(bytes) ?? (await halfOf(path, readFile))
  return {
    path,
    locked: {
      said: key.message,
      ...(half ? { half } : {}),
      ...(ask ? { unlock: lazily(() => unlock(path, bytes, ask)) } : {}),
    },
  }
}

async function unlock(path: string, bytes: Buffer, ask: AskPassphrase): Promise<ParsedKey> {
  for (let tries = 0; tries < mostTries; tries++) {
    const passphrase = await ask(path, tries > 0)
    if (!passphrase) throw new Error(`no passphrase was given for ${path}`)
    const key = parsed(bytes, passphrase.reveal())
    if (!(key instanceof Error)) return key
  }
  throw new Error(`the passphrase of ${path} was wrong ${mostTries} times`)
}

async function halfOf(path: string, readFile: (path: string) => Promise<Buffer>): Promise<ParsedKey | undefined> {
  const bytes = await readFile(`${path}.pub`).catch(() => undefined)
  const key = bytes && parsed(bytes)
  return key && !(key instanceof Error) ? key : undefined
}

/** The public key that an encrypted file in OpenSSH's own format shows openly (PROTOCOL.key of OpenSSH). */
function publicPart(bytes: Buffer): ParsedKey | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([\s\S]+?)-----END/.exec(bytes.toString('latin1'))?.[1]
  if (!body) return undefined
  const blob = Buffer.from(body, 'base64')
  let at = 'openssh-key-v1\0'.length
  const next = (): Buffer => {
    const length = blob.readUInt32BE(at)
    at += 4 + length
    return blob.subarray(at - length, at)
  }
  try {
    for (let i = 0; i < 3; i++) next()
    at += 4
    const key = next()
    const half = parsed(Buffer.from(`${key.toString('latin1', 4, 4 + key.readUInt32BE(0))} ${key.toString('base64')}`))
    return half instanceof Error ? undefined : half
  } catch {
    return undefined
  }
}

function parsed(bytes: Buffer, passphrase?: string): ParsedKey | Error {
  const found = passphrase === undefined ? ssh2.utils.parseKey(bytes) : ssh2.utils.parseKey(bytes, passphrase)
  const key = Array.isArray(found) ? (found[0] as ParsedKey) : found
  if (!(key instanceof Error) && key.type === 'ssh-ed25519' && key.isPrivateKey()) signQuickly(key)
  return key
}

/** ssh2 reads the key's text anew for every signature, which takes ten times as long as to sign: 0.4 ms a host. */
function signQuickly(key: ParsedKey): void {
  const secret = createPrivateKey(key.getPrivatePEM())
  key.sign = (data) => sign(null, Buffer.from(data as Uint8Array), secret)
}

function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
