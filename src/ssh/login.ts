import type { AnyAuthMethod, ParsedKey } from 'ssh2'
import ssh2 from 'ssh2'
import type { Host } from '../model/inventory.ts'
import { quote } from '../model/shell.ts'
import { exits, Failure } from '../model/trouble.ts'

/** A private key file as ssh2 uses it. Decrypting and parsing is slow, so it is done once per file. */
export type KeyFile =
  | { readonly key: ParsedKey }
  | { readonly fault: 'missing' | 'encrypted' | 'damaged'; readonly said: string }

export async function readKey(path: string, readFile: (path: string) => Promise<Buffer>): Promise<KeyFile> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    return { fault: 'missing', said: (error as Error).message }
  }
  const parsed = ssh2.utils.parseKey(bytes)
  const key = Array.isArray(parsed) ? (parsed[0] as ParsedKey) : parsed
  if (key instanceof Error)
    return { fault: /encrypted/i.test(key.message) ? 'encrypted' : 'damaged', said: key.message }
  if (!key.isPrivateKey()) return { fault: 'damaged', said: 'it holds a public key' }
  return { key }
}

/**
 * The ways to log in, in the order they are tried: the named key, or the agent where none is named; then the password.
 * Failure AUTH_FAILED where there is no way, or the key cannot be used.
 */
export function waysIn(host: Host, key: KeyFile | undefined, agentSocket: string | undefined): AnyAuthMethod[] {
  const username = host.user
  const ways: AnyAuthMethod[] = []
  if (key && 'key' in key) ways.push({ type: 'publickey', username, key: key.key })
  else if (key) throw unusable(host, key)
  else if (agentSocket) ways.push({ type: 'agent', username, agent: agentSocket })
  if (host.password) {
    const password = host.password.reveal()
    ways.push({ type: 'password', username, password })
    ways.push({
      type: 'keyboard-interactive',
      username,
      prompt: (_name, _instructions, _lang, prompts, finish) => finish(prompts.map((p) => (p.echo ? '' : password))),
    })
  }
  if (ways.length > 0) return ways
  throw new Failure(exits.unreachable, {
    code: 'AUTH_FAILED',
    message: 'there is no key to log in with: the inventory names none, and no SSH agent runs here',
    where: host.name,
    fix: 'write ssh.key into the inventory, or start an agent: eval "$(ssh-agent)" && ssh-add',
  })
}

function unusable(host: Host, key: Extract<KeyFile, { fault: string }>): Failure {
  const path = host.key ?? ''
  const because = {
    missing: {
      message: `the key ${path} cannot be read`,
      fix: 'write the path of a private key into the inventory: ssh.key',
    },
    encrypted: {
      message: `the key ${path} is encrypted with a passphrase`,
      fix: `let the agent hold it: ssh-add ${quote(path)}; and leave ssh.key out of the inventory, so that the agent is asked`,
    },
    damaged: {
      message: `the key ${path} is no private key that can be used`,
      fix: 'name the private key, not the .pub file; make one with: ssh-keygen -t ed25519',
    },
  }[key.fault]
  return new Failure(exits.unreachable, {
    code: 'AUTH_FAILED',
    ...because,
    where: host.name,
    evidence: [{ source: path, line: key.said }],
  })
}
