/** A bastion as one writes it in one word. */
export interface JumpWord {
  readonly user?: string
  readonly address: string
  readonly port?: number
}

/** Reads `[user@]host[:port]`, also with `ssh://` before it and an IPv6 address in brackets: ssh_config(5), ProxyJump. */
export function parseJump(word: string): JumpWord | null {
  const found = /^(?:ssh:\/\/)?(?:([^@\s]+)@)?(?:\[([0-9A-Fa-f:.]+)\]|([^@:\s[\]/]+))(?::(\d{1,5}))?\/?$/.exec(
    word.trim(),
  )
  const address = found?.[2] ?? found?.[3]
  // A leading - would be an option to ssh.
  if (!found || !address || address.startsWith('-') || found[1]?.startsWith('-')) return null
  const port = found[4] === undefined ? undefined : Number(found[4])
  if (port !== undefined && (port < 1 || port > 65535)) return null
  return { address, ...(found[1] ? { user: found[1] } : {}), ...(port ? { port } : {}) }
}
