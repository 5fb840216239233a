/** The rules of a network namespace, from iptables (legacy, on nftables) and nftables alike, in one form. */
export interface Netfilter {
  readonly chains: readonly Chain[]
  /** Which of the programs have rules: iptables-legacy, iptables-nft, nft. */
  readonly backends: readonly Backend[]
  /** nftables maps and sets that rules look up: `ip kube-proxy service-ips` -> its elements, in nft's own words. */
  readonly sets: ReadonlyMap<string, readonly SetElement[]>
}

export type Backend = 'iptables-legacy' | 'iptables-nft' | 'nft'
export type Hook = 'ingress' | 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'

export interface Chain {
  readonly backend: Backend
  readonly family: 'ip' | 'ip6' | 'inet' | 'bridge' | 'arp' | 'netdev'
  readonly table: string
  readonly name: string
  /** Of a base chain. All base chains of a hook are passed in the order of their priority, and each of them may drop. */
  readonly hook?: Hook
  readonly priority?: number
  /** filter, nat, route */
  readonly type?: string
  readonly policy?: 'accept' | 'drop'
  readonly policyPackets?: number
  readonly rules: readonly Rule[]
}

export interface Rule {
  /** As the program prints it, without counters: -A KUBE-SERVICES -d 10.96.0.10/32 … */
  readonly text: string
  readonly packets?: number
  readonly matches: readonly Match[]
  readonly verdicts: readonly Verdict[]
}

/** All of a rule's matches have to hold. `not` turns one round. */
export type Match =
  | { readonly what: 'saddr' | 'daddr'; readonly cidrs: readonly string[]; readonly not?: true }
  | { readonly what: 'protocol'; readonly protocols: readonly string[]; readonly not?: true }
  | { readonly what: 'sport' | 'dport'; readonly ports: readonly (readonly [number, number])[]; readonly not?: true }
  | {
      readonly what: 'iif' | 'oif' /** `+` at the end stands for anything. */
      readonly names: readonly string[]
      readonly not?: true
    }
  | {
      readonly what: 'ctstate' /** new, established, related, invalid, dnat, snat, untracked */
      readonly states: readonly string[]
      readonly not?: true
    }
  | { readonly what: 'mark' | 'ctmark'; readonly value: number; readonly mask: number; readonly not?: true }
  /** `local` destination or source; limited to the interface where it says so. */
  | {
      readonly what: 'addrtype'
      readonly of: 'saddr' | 'daddr'
      readonly types: readonly string[]
      readonly not?: true
    }
  /** iptables -m statistic --mode random. */
  | { readonly what: 'random'; readonly probability: number }
  /** A lookup in an nftables set; `keys` are the fields that make the key: ip saddr, ip daddr, meta l4proto, th dport, numgen random mod 3 … */
  | { readonly what: 'set'; readonly keys: readonly string[]; readonly set: string; readonly not?: true }
  /** -m recent --rcheck: session affinity. */
  | { readonly what: 'recent'; readonly name: string }
  /** -m comment and counters match always and are left out; anything else that this version does not understand. */
  | { readonly what: 'unknown'; readonly text: string }

export type Verdict =
  | { readonly do: 'accept' | 'drop' | 'return' }
  | { readonly do: 'reject'; readonly with?: string }
  | { readonly do: 'jump' | 'goto'; readonly to: string }
  | {
      readonly do: 'dnat' | 'snat'
      readonly ip?: string
      readonly port?: number /** Where it comes out of a map: its name in `sets`, and the fields that make the key. */
      readonly map?: string
      readonly keys?: readonly string[]
    }
  | { readonly do: 'masquerade' | 'redirect' | 'notrack' }
  /** `set`: the bits of mask are replaced by those of value; `or`, `and`, `xor`: with value. */
  | { readonly do: 'mark'; readonly value: number; readonly mask: number; readonly how: 'set' | 'or' | 'and' | 'xor' }
  /** The verdict stands in a verdict map. */
  | { readonly do: 'vmap'; readonly keys: readonly string[]; readonly set: string }
  /** log, counter and so on: the packet goes on. */
  | { readonly do: 'continue' }
  | { readonly do: 'unknown'; readonly text: string }

/** An element of a set or map; `key` in the order of the keys of the lookup. */
export interface SetElement {
  readonly key: readonly string[]
  readonly verdict?: Verdict
  readonly value?: string
}
