/** How SSH reaches a host, as `vagrant ssh-config` tells it. */
export interface SshHost {
  readonly name: string
  readonly address: string
  readonly port: number
  readonly user: string
  /** Path of the private key. */
  readonly key: string
}

/** Reads the output of `vagrant ssh-config`: blocks of `Host NAME`, then one `Key value` per line, paths perhaps in quotes. */
export function parseSshConfig(text: string): SshHost[] {
  const hosts: Record<string, string>[] = []
  for (const line of text.split('\n')) {
    const [, key, value] = /^\s*(\w+)\s+(.*?)\s*$/.exec(line) ?? []
    if (key === undefined || value === undefined) continue
    if (key === 'Host') hosts.push({ Host: value })
    // As in ssh_config itself, the first of several values counts.
    else if (hosts.length > 0) hosts.at(-1)![key] ??= value.replace(/^"(.*)"$/, '$1')
  }
  return hosts.map((host) => ({
    name: host.Host!,
    address: host.HostName ?? host.Host!,
    port: Number(host.Port ?? 22),
    user: host.User ?? 'vagrant',
    key: host.IdentityFile ?? '',
  }))
}
