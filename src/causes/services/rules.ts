import type { Chain, Rule } from '../../model/netfilter.ts'
import type { Place } from '../host/walk.ts'

/** What kube-proxy wrote on a node, in one form for both of its modes. */
export interface ProxyRules {
  readonly mode: 'iptables' | 'nftables'
  /** `10.96.0.10 udp 53` -> what is done with it. */
  readonly services: ReadonlyMap<string, ServiceRules>
  /** `tcp 30080` */
  readonly nodePorts: ReadonlySet<string>
  /** Do packets come to these rules at all? */
  readonly reached: boolean
  /** The rule that translates the source of marked packets; absent where it is missing. */
  readonly masquerade?: Place
  /** The rule that marks. */
  readonly mark?: Place
  /** Where it would stand. */
  readonly postrouting?: Place
}

export interface ServiceRules {
  readonly chain: Chain
  readonly by: Place
  readonly branches: readonly Branch[]
  /** The branch of the last rule is taken without a condition. */
  readonly complete: boolean
}

export interface Branch {
  /** `10.244.0.2:53`; absent where the chain of the endpoint is missing or translates nothing. */
  readonly to?: string
  /** 0 to 1, of what comes to the Service. */
  readonly share: number
  readonly by: Place
  /** The rule that translates. */
  readonly dnat?: Place
  /** Packets that the endpoint sends to its own Service get another source. */
  readonly hairpin: boolean
  /** That has to be so only on the node of the endpoint. */
  readonly onlyHere?: true
}

export const serviceKey = (ip: string, protocol: string, port: number): string => `${ip} ${protocol} ${port}`

/** Does the chain mark what comes from the endpoint itself? */
export function marksOwn({ rules }: Chain, ip: string, marking: string): boolean {
  return rules.some(
    (rule) =>
      jumpOf(rule) === marking &&
      rule.matches.every(
        (match) => match.what === 'saddr' && !match.not && match.cidrs.some((cidr) => cidr.replace(/\/32$/, '') === ip),
      ),
  )
}

export function jumpOf({ verdicts }: Rule): string | undefined {
  for (const verdict of verdicts) if (verdict.do === 'jump' || verdict.do === 'goto') return verdict.to
  return undefined
}
