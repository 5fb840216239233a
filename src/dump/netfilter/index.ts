import type { Backend, Chain, Netfilter } from '../../model/netfilter.ts'
import { isNftSave, parseSave } from './iptables.ts'
import { type NftTable, parseNft } from './nft.ts'

/**
 * The rules of a host, out of the parts of its dump: `iptables-save` (of `iptables-save -c`), `iptables-legacy-save` and `nft`
 * (of `nft -j list ruleset`). A part that is absent is one without rules. Whatever it does not understand becomes `unknown`.
 *
 * iptables on nftables keeps its rules in tables that nft lists as well; these are counted once, as iptables-save prints them,
 * since nft shows the extensions of iptables only by name.
 */
export function netfilterOf(parts: Readonly<Record<string, string>>): Netfilter {
  const saved = parts['iptables-save'] ?? ''
  const onNft = isNftSave(saved)
  const legacy = parts['iptables-legacy-save'] ?? (onNft ? '' : saved)
  const legacyChains = parseSave(legacy, 'iptables-legacy')
  const nftSaved = onNft ? parseSave(saved, 'iptables-nft') : []
  const nft = parseNft(parts.nft ?? '')
  const own = new Set(nftSaved.map(({ table }) => table))
  const chains: Chain[] = [...legacyChains, ...nftSaved]
  for (const table of nft.tables) {
    if (table.family === 'ip' && own.has(table.name)) continue
    const backend: Backend = ofIptables(table, onNft) ? 'iptables-nft' : 'nft'
    chains.push(...table.chains.map((chain) => ({ ...chain, backend })))
  }
  const backends = [...new Set(chains.filter(({ rules }) => rules.length > 0).map(({ backend }) => backend))]
  return { chains, backends, sets: nft.sets }
}

const tablesOfIptables = new Set(['raw', 'mangle', 'nat', 'filter', 'security'])
const hooksOfIptables = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'])

/** Did iptables make this table that iptables-save did not print: for IPv6, or because iptables-save there is the legacy one? */
function ofIptables({ family, name, chains }: NftTable, onNft: boolean): boolean {
  if ((family !== 'ip' && family !== 'ip6') || !tablesOfIptables.has(name)) return false
  if (family === 'ip' && onNft) return false
  return chains.every(({ name, hook }) => !hook || hooksOfIptables.has(name))
}
