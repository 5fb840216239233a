import type { IdentityCallback, ParsedKey, SignCallback, SigningRequestOptions } from 'ssh2'
import ssh2 from 'ssh2'

/** What an SSH agent holds, or why that cannot be known. */
export interface AgentKeys {
  readonly socket: string
  readonly keys: readonly { readonly half: ParsedKey; readonly comment: string }[]
  readonly fault?: string
}

/** Asks an agent for its keys; those of a kind that is not understood are left out. */
export function agentKeys(socket: string): Promise<AgentKeys> {
  return new Promise((resolve) => {
    ssh2.createAgent(socket).getIdentities((error, found) => {
      if (error) return resolve({ socket, keys: [], fault: error.message })
      const keys = (found ?? []).flatMap((it) => {
        const half = ssh2.utils.parseKey(it as string | Buffer)
        return half instanceof Error || Array.isArray(half) ? [] : [{ half, comment: half.comment }]
      })
      resolve({ socket, keys })
    })
  })
}

/**
 * An agent with one key, as ssh2 wants it for a key that signs elsewhere. One key at a time goes to the server this way, so
 * that the order of all keys is ours, and no agent's other keys are tried.
 */
export class OneKeyAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #half: ParsedKey
  readonly #sign: (data: Buffer, hash: 'sha256' | 'sha512' | undefined) => Promise<Buffer>

  constructor(half: ParsedKey, sign: (data: Buffer, hash: 'sha256' | 'sha512' | undefined) => Promise<Buffer>) {
    super()
    this.#half = half
    this.#sign = sign
  }

  getIdentities(done: IdentityCallback<ParsedKey>): void {
    done(null, [this.#half])
  }

  sign(_: ParsedKey, data: Buffer, options?: SigningRequestOptions | SignCallback, done?: SignCallback): void {
    const answer = typeof options === 'function' ? options : done!
    const hash = typeof options === 'object' ? (options.hash as 'sha256' | 'sha512' | undefined) : undefined
    this.#sign(data, hash).then(
      (signature) => answer(null, signature),
      (error: Error) => answer(error),
    )
  }
}

/** A key that the agent at `socket` holds, and nothing else of it. */
export function agentKey(socket: string, half: ParsedKey): OneKeyAgent {
  return new OneKeyAgent(
    half,
    (data, hash) =>
      new Promise((resolve, reject) => {
        ssh2
          .createAgent(socket)
          .sign(half, data, hash ? { hash } : {}, (error, signature) =>
            error ? reject(error) : resolve(signature as Buffer),
          )
      }),
  )
}
