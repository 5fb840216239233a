import { cidrOf, contains } from '../model/cidr.ts'
import type { Link, NetView, PolicyRule, Route } from '../model/dump.ts'

/** A network namespace that can look up routes; that of a pod has only the usual rules. */
export type Routing = NetView & { readonly rules?: readonly PolicyRule[] }

const usual: readonly PolicyRule[] = [
  { priority: 0, from: 'all', to: 'all', table: 'local', line: '' },
  { priority: 32766, from: 'all', to: 'all', table: 'main', line: '' },
  { priority: 32767, from: 'all', to: 'all', table: 'default', line: '' },
]

export interface Question {
  readonly source?: string
  readonly mark?: number
  readonly iif?: string
}

/**
 * The route that the kernel takes: the rules by priority, in each table the longest prefix, then the lowest metric.
 * Undefined where no route fits; then the network is unreachable.
 */
export function lookup(view: Routing, ip: string, question: Question = {}): Route | undefined {
  const rules = view.rules?.length ? view.rules : usual
  for (const rule of [...rules].sort((a, b) => a.priority - b.priority)) {
    if (!holds(rule, ip, question)) continue
    const route = best(view.routes, rule.table, ip)
    if (route && route.type !== 'throw') return route
  }
  return undefined
}

function best(routes: readonly Route[], table: string, ip: string): Route | undefined {
  let found: Route | undefined
  let length = -1
  for (const route of routes) {
    if (route.table !== table || route.flags.includes('dead')) continue
    const to = cidrOf(route.to)
    if (!to || to.prefix < length || !contains(to, ip)) continue
    if (to.prefix === length && found && found.metric <= route.metric) continue
    found = route
    length = to.prefix
  }
  return found
}

/** Is the address in the network, which may also be a single address? */
export function within(network: string, ip: string): boolean {
  const parsed = cidrOf(network)
  return parsed !== null && contains(parsed, ip)
}

function holds(rule: PolicyRule, ip: string, { source, mark = 0, iif }: Question): boolean {
  const fits = (network: string, address: string | undefined) =>
    network === 'all' || network === '' || (address !== undefined && within(network, address))
  const word = (name: string) => new RegExp(`(?:^|\\s)${name}\\s+(\\S+)`).exec(rule.line)?.[1]
  const [value, mask = '0xffffffff'] = word('fwmark')?.split('/') ?? []
  if (value !== undefined && (mark & Number(mask)) >>> 0 !== Number(value)) return false
  if (word('iif') !== undefined && word('iif') !== (iif ?? 'lo')) return false
  if (word('oif') !== undefined || word('ipproto') !== undefined || word('uidrange') !== undefined) return false
  const both = fits(rule.from, source) && fits(rule.to, ip)
  return /(^|\s)not\s/.test(rule.line) ? !both : both
}

/** Does this host take packets for the address as its own? */
export function isLocal(view: Routing, ip: string): boolean {
  return (
    lookup(view, ip)?.type === 'local' || view.links.some(({ addresses }) => addresses.some((one) => one.ip === ip))
  )
}

/** The address that a packet gets as its source by a route, or by masquerading out of a device. */
export function sourceOf(view: NetView, dev: string, next: string, preferred?: string): string | undefined {
  if (preferred) return preferred
  const family = next.includes(':') ? 6 : 4
  const addresses = linkOf(view, dev)?.addresses.filter((one) => one.family === family && one.scope !== 'host') ?? []
  const near = addresses.find(({ ip, prefix }) => within(`${ip}/${prefix}`, next)) ?? addresses[0]
  return near?.ip ?? (dev === 'lo' ? next : undefined)
}

export const linkOf = (view: NetView, name: string): Link | undefined => view.links.find((link) => link.name === name)

/** Set up by the administrator, and, where it is a device of its own, with a carrier. */
export const isUp = ({ flags, state, kind }: Link): boolean =>
  flags.includes('UP') && (state !== 'DOWN' || kind === 'bridge' || kind === 'veth')
