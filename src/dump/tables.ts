import type { FdbEntry, Neighbour, PolicyRule, Route } from '../model/dump.ts'

const types = new Set([
  'unicast',
  'local',
  'broadcast',
  'multicast',
  'anycast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
])
const flags = new Set(['onlink', 'linkdown', 'dead', 'pervasive', 'offload', 'notify'])

/** The text of `ip route show table all`; the further ways of a route with several stand on its own line. */
export function wholeRoutes(text: string | undefined): string | undefined {
  return text?.includes('\n\tnexthop') ? text.replace(/\n\s+nexthop/g, ' nexthop') : text
}

/** One line of `ip route show table all`. Of several next hops it reads the first. */
export function routeOf(line: string): Route {
  const words = line.trim().split(/\s+/)
  const type = types.has(words[0] ?? '') ? (words.shift() ?? '') : 'unicast'
  const target = words.shift() ?? ''
  const after = (word: string): string | undefined => {
    const at = words.indexOf(word)
    return at < 0 ? undefined : words[at + 1]
  }
  const via = after('via') === 'inet6' || after('via') === 'inet' ? words[words.indexOf('via') + 2] : after('via')
  const six = target.includes(':') || (target === 'default' && (line.includes(' pref ') || !!via?.includes(':')))
  const [dev, src, scope] = [after('dev'), after('src'), after('scope')]
  return {
    table: after('table') ?? 'main',
    type,
    to:
      target === 'default'
        ? six
          ? '::/0'
          : '0.0.0.0/0'
        : target.includes('/')
          ? target
          : `${target}/${six ? 128 : 32}`,
    ...(via !== undefined && { via }),
    ...(dev !== undefined && { dev }),
    ...(src !== undefined && { src }),
    ...(scope !== undefined && { scope }),
    metric: Number(after('metric') ?? 0),
    flags: words.filter((word) => flags.has(word)),
    line,
  }
}

/** One line of `ip rule show`: 32766: from all lookup main */
export function ruleOf(line: string): PolicyRule {
  const [head = '', ...words] = line.trim().split(/\s+/)
  const after = (word: string): string | undefined => {
    const at = words.indexOf(word)
    return at < 0 ? undefined : words[at + 1]
  }
  return {
    priority: Number.parseInt(head, 10),
    from: after('from') ?? 'all',
    to: after('to') ?? 'all',
    table: after('lookup') ?? after('table') ?? '',
    line,
  }
}

/** One line of `ip neigh show`: 10.244.1.0 dev flannel.1 lladdr fa:9e:60:53:42:bc PERMANENT */
export function neighbourOf(line: string): Neighbour {
  const words = line.trim().split(/\s+/)
  const mac = /\slladdr (\S+)/.exec(line)?.[1]
  return {
    ip: words[0] ?? '',
    dev: words[2] ?? '',
    ...(mac !== undefined && { mac }),
    state: words.findLast((word) => /^[A-Z]+$/.test(word)) ?? '',
    line,
  }
}

/** One line of `bridge fdb show`: fa:9e:60:53:42:bc dev flannel.1 dst 192.168.56.12 self permanent */
export function fdbOf(line: string): FdbEntry {
  const words = line.trim().split(/\s+/)
  const dst = /\sdst (\S+)/.exec(line)?.[1]
  return { mac: words[0] ?? '', dev: words[2] ?? '', ...(dst !== undefined && { dst }), line }
}
