import type { Fact } from '../model/fact.ts'

/** The tables of nftables as `family:name`, those of iptables on nftables among them. */
export const tables: Fact<readonly string[]> = {
  ask: 'command -v nft >/dev/null || exit 0\nnft list tables 2>/dev/null || :',
  parse: (out) => [...out.matchAll(/^table (\S+) (\S+)$/gm)].map(([, family, name]) => `${family}:${name}`),
}
