import ipaddr from 'ipaddr.js'

/** An IP network: the address bits of its first address, and how long its prefix is. */
export interface Cidr {
  readonly family: 4 | 6
  /** The first address as a number; its host bits are zero. */
  readonly first: bigint
  /** Length of the prefix: 16 of 10.244.0.0/16 */
  readonly prefix: number
}

const width = { 4: 32, 6: 128 } as const

/** Is `text` an IP address as one writes it: four decimal parts, or IPv6 without a zone? */
export function isIp(text: string): boolean {
  return addressOf(text) !== null
}

/** 4 or 6, or null where `text` is no IP address. */
export function familyOf(text: string): 4 | 6 | null {
  return addressOf(text)?.family ?? null
}

/** Of the addresses or networks of something dual stack the IPv4 one: the others are not tested. Else the first, where there is one. */
export function ipv4First(texts: readonly string[]): string | undefined {
  return texts.find((text) => !text.includes(':')) ?? texts[0]
}

/** Reads `10.244.0.0/16`. Null where it is no network in CIDR form, also where host bits are set: see {@link networkOf}. */
export function parseCidr(text: string): Cidr | null {
  const cidr = networkOf(text)
  return cidr && addressOf(text.slice(0, text.indexOf('/')))?.value === cidr.first ? cidr : null
}

/** Reads the network that an interface's address lies in: `10.244.1.7/16` is in 10.244.0.0/16. Null where it is neither. */
export function networkOf(text: string): Cidr | null {
  const [ip = '', length = '', more] = text.split('/')
  const address = addressOf(ip)
  if (!address || more !== undefined || !/^(0|[1-9]\d{0,2})$/.test(length)) return null
  const prefix = Number(length)
  if (prefix > width[address.family]) return null
  const host = BigInt(width[address.family] - prefix)
  return { family: address.family, first: (address.value >> host) << host, prefix }
}

const kept = new Map<string, Cidr | null>()

/** A CIDR, also with host bits, or a single address, as a network. Read once: the same few stand in thousands of rules and routes. */
export function cidrOf(text: string): Cidr | null {
  let cidr = kept.get(text)
  if (cidr === undefined) {
    cidr = networkOf(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`)
    if (kept.size > 100_000) kept.clear()
    kept.set(text, cidr)
  }
  return cidr
}

/** `10.244.0.0/16` */
export function cidrText(cidr: Cidr): string {
  return `${textOf(cidr.family, cidr.first)}/${cidr.prefix}`
}

/** How many addresses it has. */
export function sizeOf(cidr: Cidr): bigint {
  return 1n << BigInt(width[cidr.family] - cidr.prefix)
}

/** Do the two share an address? Networks of different families never do. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.family === b.family && a.first < b.first + sizeOf(b) && b.first < a.first + sizeOf(a)
}

/** Does `outer` hold all of `inner`, a network or one address? False where `inner` is no address. */
export function contains(outer: Cidr, inner: Cidr | string): boolean {
  if (typeof inner !== 'string') return outer.prefix <= inner.prefix && overlaps(outer, inner)
  const address = addressOf(inner)
  return address?.family === outer.family && address.value >= outer.first && address.value < outer.first + sizeOf(outer)
}

/** How many networks with a prefix of `prefix` bits fit into it: a /16 has 256 pieces of /24; 0 where it is smaller than one. */
export function pieces(cidr: Cidr, prefix: number): number {
  return prefix < cidr.prefix ? 0 : 2 ** (prefix - cidr.prefix)
}

/** Its nth address, 0 being the network's own: the 10th of 10.96.0.0/12 is 10.96.0.10. Throws RangeError outside the network. */
export function nth(cidr: Cidr, n: number): string {
  if (n < 0 || BigInt(n) >= sizeOf(cidr)) throw new RangeError(`${cidrText(cidr)} has no address ${n}`)
  return textOf(cidr.family, cidr.first + BigInt(n))
}

/** What an address or a network's first address is for, in ipaddr.js's words: unicast, private, loopback, multicast, … */
export function rangeOf(address: string): string {
  return ipaddr.parse(address).range()
}

function addressOf(text: string): { family: 4 | 6; value: bigint } | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return { family: 4, value: numberOf(ipaddr.IPv4.parse(text)) }
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return null
  return { family: 6, value: numberOf(ipaddr.IPv6.parse(text)) }
}

function numberOf(ip: { toByteArray(): number[] }): bigint {
  return ip.toByteArray().reduce((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

function textOf(family: 4 | 6, value: bigint): string {
  const bytes = Array.from({ length: width[family] / 8 }, (_, i) =>
    Number((value >> BigInt(width[family] - 8 * (i + 1))) & 255n),
  )
  return ipaddr.fromByteArray(bytes).toString()
}
