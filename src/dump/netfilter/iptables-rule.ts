import type { Match, Verdict } from '../../model/netfilter.ts'

type Parsed = { readonly matches: readonly Match[]; readonly verdicts: readonly Verdict[] }

/** Extensions whose every option holds always, or as good as always for one packet. */
const alwaysHolds = new Set(['comment', 'nfacct', 'limit', 'quota'])
const continues = new Set([
  'LOG',
  'NFLOG',
  'ULOG',
  'TRACE',
  'TCPMSS',
  'CHECKSUM',
  'TTL',
  'TOS',
  'DSCP',
  'AUDIT',
  'CLASSIFY',
])

interface Option {
  readonly module: string
  readonly name: string
  readonly value: string
  readonly not: boolean
}

/** Understands one rule as iptables-save prints it: -A KUBE-SERVICES -d 10.96.0.10/32 -p udp … -j KUBE-SVC-… */
export function parseRule(text: string): Parsed {
  const words = wordsOf(text)
  const options: Option[] = []
  let module = ''
  let not = false
  for (let i = 2; i < words.length; i++) {
    const name = words[i]!
    if (name === '!') {
      not = true
    } else if (name === '-j' || name === '-g') {
      return { matches: matchesOf(options), verdicts: [verdictOf(name, words.slice(i + 1))] }
    } else if (name === '-m') {
      module = words[++i] ?? ''
    } else {
      const values: string[] = []
      const isText = name === '--comment'
      while (i + 1 < words.length && (isText ? values.length === 0 : !/^(-|!$)/.test(words[i + 1]!)))
        values.push(words[++i]!)
      options.push({ module, name, value: values.join(' '), not })
      not = false
    }
  }
  return { matches: matchesOf(options), verdicts: [{ do: 'continue' }] }
}

function matchesOf(options: readonly Option[]): Match[] {
  return options.flatMap((option) => {
    if (option.module === 'recent') return recentOf(option, options)
    return matchOf(option) ?? []
  })
}

/** `--rcheck … --name N` asks whether the list N holds the source; `--set --name N` only writes to it. */
function recentOf({ name, not }: Option, options: readonly Option[]): Match[] {
  if (name !== '--rcheck' && name !== '--update') return []
  const list = options.find((option) => option.module === 'recent' && option.name === '--name')?.value ?? 'DEFAULT'
  return [not ? { what: 'unknown', text: `! -m recent --name ${list}` } : { what: 'recent', name: list }]
}

function matchOf({ module, name, value, not: inverted }: Option): Match | null {
  const not = inverted ? { not: true as const } : {}
  switch (name) {
    case '-s':
      return { what: 'saddr', cidrs: [value], ...not }
    case '-d':
      return { what: 'daddr', cidrs: [value], ...not }
    case '-i':
      return { what: 'iif', names: [value], ...not }
    case '-o':
      return { what: 'oif', names: [value], ...not }
    case '-p':
      return value === 'all' && !inverted ? null : { what: 'protocol', protocols: [protocolOf(value)], ...not }
    case '--sport':
    case '--sports':
      return { what: 'sport', ports: value.split(',').map(rangeOf), ...not }
    case '--dport':
    case '--dports':
      return { what: 'dport', ports: value.split(',').map(rangeOf), ...not }
    case '--ctstate':
    case '--state':
      return { what: 'ctstate', states: value.toLowerCase().split(','), ...not }
    case '--mark':
      return { what: module === 'connmark' ? 'ctmark' : 'mark', ...markOf(value), ...not }
    case '--src-type':
    case '--dst-type': {
      const of = name === '--src-type' ? 'saddr' : 'daddr'
      return { what: 'addrtype', of, types: value.toLowerCase().split(','), ...not }
    }
    case '--probability':
      return { what: 'random', probability: inverted ? 1 - Number(value) : Number(value) }
  }
  if (alwaysHolds.has(module) || (name === '--mode' && value === 'random')) return null
  return {
    what: 'unknown',
    text: [inverted ? '!' : '', module && `-m ${module}`, name, value].filter(Boolean).join(' '),
  }
}

function verdictOf(how: string, [target = '', ...options]: readonly string[]): Verdict {
  const value = (name: string) => options[options.indexOf(name) + 1] ?? ''
  if (how === '-g') return { do: 'goto', to: target }
  if (continues.has(target)) return { do: 'continue' }
  switch (target) {
    case 'ACCEPT':
      return { do: 'accept' }
    case 'DROP':
      return { do: 'drop' }
    case 'RETURN':
      return { do: 'return' }
    case 'MASQUERADE':
      return { do: 'masquerade' }
    case 'REDIRECT':
      return { do: 'redirect' }
    case 'REJECT':
      return { do: 'reject', ...(value('--reject-with') && options.length > 1 && { with: value('--reject-with') }) }
    case 'DNAT':
      return { do: 'dnat', ...targetOf(value('--to-destination')) }
    case 'SNAT':
      return { do: 'snat', ...targetOf(value('--to-source')) }
    case 'MARK':
      return options[0] === '--set-xmark' || options[0] === '--set-mark'
        ? { do: 'mark', ...setMark(options[0], value(options[0])) }
        : { do: 'unknown', text: `MARK ${options.join(' ')}` }
    case 'CT':
      return options.includes('--notrack') ? { do: 'notrack' } : { do: 'unknown', text: `CT ${options.join(' ')}` }
    case 'NOTRACK':
      return { do: 'notrack' }
    case 'CONNMARK':
    case 'TPROXY':
    case 'NFQUEUE':
    case 'SET':
    case 'HMARK':
    case 'NETMAP':
      return { do: 'unknown', text: [target, ...options].join(' ') }
  }
  return { do: 'jump', to: target }
}

/** --set-xmark value/mask: the mark without the bits of mask, xor value; a value within the mask sets, 0 as mask xors. */
function setMark(option: string, text: string): { value: number; mask: number; how: 'set' | 'or' | 'xor' } {
  const { value, mask } = markOf(text)
  if (option === '--set-xmark' && mask === 0) return { value, mask, how: 'xor' }
  return { value, mask, how: value === mask ? 'or' : 'set' }
}

function markOf(text: string): { value: number; mask: number } {
  const [value, mask] = text.split('/')
  return { value: Number(value) || 0, mask: mask === undefined ? 0xffffffff : Number(mask) || 0 }
}

/** 10.244.0.2:53, 10.244.0.2, :53; of a range of addresses or ports the first. */
function targetOf(text: string): { ip?: string; port?: number } {
  const found = /^\[?([0-9.]*|[0-9a-f:]*(?=\]))\]?(?:-[^:]*)?(?::(\d+))?/.exec(text)
  return { ...(found?.[1] && { ip: found[1] }), ...(found?.[2] && { port: Number(found[2]) }) }
}

const rangeOf = (text: string): [number, number] => {
  const [first = 0, last = first] = text.split(':').map(Number)
  return [first, last]
}

const numbers: Readonly<Record<string, string>> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmpv6' }
const protocolOf = (text: string): string => numbers[text] ?? text

/** Splits at spaces; words in double quotes may hold spaces and escaped quotes. */
function wordsOf(text: string): string[] {
  if (!text.includes('"')) return text.split(' ').filter(Boolean)
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) =>
    quoted === undefined ? plain! : quoted.replace(/\\(.)/g, '$1'),
  )
}
