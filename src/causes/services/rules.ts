import type { Chain, Rule } from '../../model/netfilter.ts'
import type { Place } from '../host/walk.ts'

/** What kube-proxy wrote on a node, in one form for both of its modes. */
export interface ProxyRules {
  readonly mode: 'iptables' | 'nftables'
  /** `10.96.0.10 udp 53` -> what is done with it. */
  readonly services: ReadonlyMap<string, ServiceRules>
  /** `tcp 30080` */
  readonly nodePorts: ReadonlySet<string>
  /** `tcp 30080` -> what is done with a client from outside of the cluster. Those in a form that is not known are left out. */
  readonly doors: ReadonlyMap<string, DoorRules>
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

export interface DoorRules extends ServiceRules {
  /** The rule that gives every client the address of the node. */
  readonly marks?: Place
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

/** What a chain for clients from outside does with those for whom none of its rules makes an exception. */
export function doorOf(
  chain: Chain,
  by: Place,
  marking: string,
  inner: (name: string, by: Place) => ServiceRules | undefined,
): DoorRules {
  const forAll = chain.rules.filter(({ matches }) => matches.length === 0)
  const mark = forAll.find((rule) => jumpOf(rule) === marking || rule.verdicts.some((verdict) => verdict.do === 'mark'))
  const [rules] = forAll.flatMap((rule) => inner(jumpOf(rule) ?? '', { chain, rule }) ?? [])
  return {
    ...(rules ?? { chain, by, branches: [], complete: false }),
    ...(mark && { marks: { chain, rule: mark } }),
  }
}

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
