import type { NodeView, Picture } from '../../model/dump.ts'
import { iptablesRules } from './iptables.ts'
import { nftRules } from './nftables.ts'
import type { ProxyRules } from './rules.ts'

const read = new WeakMap<NodeView, { rules: ProxyRules | null }>()

/** Null where kube-proxy has another mode (ipvs), where its rules could not be read, or where there are none of it at all. */
export function proxyRules(picture: Picture, node: NodeView): ProxyRules | null {
  const there = read.get(node) ?? { rules: rulesOf(picture.cluster?.configs.proxy?.mode ?? '', node) }
  read.set(node, there)
  return there.rules
}

function rulesOf(mode: string, { netfilter, dump }: NodeView): ProxyRules | null {
  if (mode === 'ipvs') return null
  const inNft = mode === 'nftables' || (mode === '' && netfilter.chains.some(({ table }) => table === 'kube-proxy'))
  if (inNft) return dump.parts.nft === undefined ? null : nftRules(netfilter)
  return dump.parts['iptables-save'] === undefined ? null : iptablesRules(netfilter)
}
