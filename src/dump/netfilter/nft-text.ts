/** Whatever nft printed. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is nft's; what does not fit becomes `unknown`
export type Json = any

/** What nft leaves out of `meta KEY`. */
const bare = new Set(['iif', 'iifname', 'oif', 'oifname', 'iiftype', 'oiftype', 'skuid', 'skgid', 'rtclassid', 'cpu'])

/** An expression of nft's JSON (libnftables-json(5)) in the words of `nft list`: ip daddr, meta mark & 0x4000, 10.244.0.0/16. */
export function textOf(json: Json): string {
  if (json === null || json === undefined) return ''
  if (typeof json !== 'object') return typeof json === 'string' && json.includes(' ') ? `"${json}"` : String(json)
  if (Array.isArray(json)) return json.map(textOf).join(',')
  const [kind = '', it] = Object.entries(json as Record<string, Json>)[0] ?? []
  switch (kind) {
    case 'payload':
      return it.field ? `${it.protocol} ${it.field}` : `@${it.base},${it.offset},${it.len}`
    case 'meta':
      return bare.has(it.key) ? it.key : `meta ${it.key}`
    case 'ct':
      return `ct ${it.dir ? `${it.dir} ` : ''}${it.key}`
    case 'fib':
      return `fib ${[it.flags].flat().join(' . ')} ${it.result}`
    case 'numgen':
      return `numgen ${it.mode === 'random' ? 'random' : 'inc'} mod ${it.mod}${it.offset ? ` offset ${it.offset}` : ''}`
    case 'prefix':
      return `${textOf(it.addr)}/${it.len}`
    case 'range':
      return it.map(textOf).join('-')
    case 'concat':
      return it.map(textOf).join(' . ')
    case 'set':
      return Array.isArray(it) ? `{ ${it.map(elementText).join(', ')} }` : textOf(it)
    case 'elem':
      return textOf(it.val)
    case 'map':
      return `${textOf(it.key)} map ${textOf(it.data)}`
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return `${textOf(it[0])} ${kind} ${typeof it[1] === 'number' ? hex(it[1]) : textOf(it[1])}`
    case 'jump':
    case 'goto':
      return `${kind} ${it.target}`
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
      return kind
  }
  return `${kind} ${JSON.stringify(it)}`
}

/** One statement of a rule in the words of `nft list`; '' for counters, which are left out. */
export function statementText(json: Json): string {
  const [kind = '', it] = Object.entries(json as Record<string, Json>)[0] ?? []
  switch (kind) {
    case 'counter':
      return ''
    case 'match': {
      const op = it.op === '==' || it.op === 'in' ? '' : `${it.op} `
      const masked = typeof it.left === 'object' && (it.left?.['&'] || it.left?.meta?.key === 'mark')
      return `${textOf(it.left)} ${op}${masked && typeof it.right === 'number' ? hex(it.right) : textOf(it.right)}`
    }
    case 'mangle':
      return `${textOf(it.key)} set ${typeof it.value === 'number' ? hex(it.value) : textOf(it.value)}`
    case 'vmap':
      return `${textOf(it.key)} vmap ${textOf(it.data)}`
    case 'dnat':
    case 'snat':
      return `${kind} ${it.family ? `${it.family} ` : ''}to ${textOf(it.addr)}${it.port === undefined ? '' : `:${textOf(it.port)}`}`
    case 'masquerade':
    case 'redirect':
      return [kind, it?.port === undefined ? '' : `to :${textOf(it.port)}`, textOf(it?.flags)].filter(Boolean).join(' ')
    case 'reject':
      return it?.type ? `reject with ${it.type} ${it.expr ?? ''}`.trim() : 'reject'
    case 'log':
      return it?.prefix ? `log prefix "${it.prefix}"` : 'log'
    case 'limit':
      return `limit rate ${it.inv ? 'over ' : ''}${it.rate}/${it.per}`
    case 'set':
      return `${it.op} ${it.set} { ${textOf(it.elem)} }`
    case 'xt':
      return `xt ${it?.type ?? ''} "${it?.name ?? ''}"`
    case 'notrack':
      return 'notrack'
  }
  return textOf(json)
}

/** The parts of a key: those of a concatenation, or the one there is. */
export function keyOf(json: Json): string[] {
  const parts = Array.isArray(json?.concat) ? json.concat : [json]
  return parts.map((part: Json) => textOf(part?.elem?.val ?? part))
}

const hex = (n: number): string => `0x${n.toString(16).padStart(8, '0')}`

function elementText(one: Json): string {
  return Array.isArray(one) ? `${textOf(one[0])} : ${textOf(one[1])}` : textOf(one)
}
