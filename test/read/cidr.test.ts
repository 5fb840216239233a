import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cidrText, contains, isIp, networkOf, nth, overlaps, parseCidr, pieces, sizeOf } from '../../src/model/cidr.ts'

const cidr = (text: string) => parseCidr(text)!
const ip = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => parts.join('.'))
const network = fc
  .tuple(ip, fc.integer({ min: 0, max: 32 }))
  .map(([address, prefix]) => networkOf(`${address}/${prefix}`)!)
const value = (address: string) => address.split('.').reduce((n, part) => n * 256 + Number(part), 0)

describe('CIDR text', () => {
  test.each(['10.244.0.0/16', '0.0.0.0/0', '192.168.1.1/32', 'fd00::/64', '::/0'])('%s is a network', (text) => {
    expect(cidrText(cidr(text))).toBe(text)
  })
  test.each([
    '10.244.1.0/16',
    '10.244.0.0',
    '10.244/16',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '010.0.0.0/8',
    '10.0.0.0/8/8',
    '256.0.0.0/8',
    'fd00::1/64',
    '',
    '/8',
    'pods',
  ])('%j is none', (text) => {
    expect(parseCidr(text)).toBeNull()
  })
  test.each([
    ['10.1', false],
    ['1.2.3.4', true],
    ['01.2.3.4', false],
    ['0x1.2.3.4', false],
    ['fd00::1', true],
    ['fe80::1%eth0', false],
    ['', false],
  ])('%j is an address: %s', (text, expected) => {
    expect(isIp(text)).toBe(expected)
  })
  test('an interface’s address lies in its network', () => {
    expect(cidrText(networkOf('10.244.1.7/16')!)).toBe('10.244.0.0/16')
    fc.assert(
      fc.property(ip, fc.integer({ min: 0, max: 32 }), (a, prefix) => contains(networkOf(`${a}/${prefix}`)!, a)),
    )
  })
  test('what is written can be read', () => {
    fc.assert(
      fc.property(network, (net) => {
        expect(parseCidr(cidrText(net))).toEqual(net)
      }),
    )
  })
})

describe('two networks', () => {
  test.each([
    ['10.0.0.0/8', '10.244.0.0/16', true],
    ['10.96.0.0/12', '10.112.0.0/16', false],
    ['10.96.0.0/12', '10.111.0.0/16', true],
    ['10.0.0.0/8', 'fd00::/8', false],
    ['0.0.0.0/0', '1.2.3.4/32', true],
  ])('%s and %s overlap: %s', (a, b, expected) => {
    expect([overlaps(cidr(a), cidr(b)), overlaps(cidr(b), cidr(a))]).toEqual([expected, expected])
  })
  test('overlap exactly when one holds the first address of the other', () => {
    fc.assert(
      fc.property(network, network, (a, b) => {
        expect(overlaps(a, b)).toBe(contains(a, nth(b, 0)) || contains(b, nth(a, 0)))
      }),
    )
  })
  test('hold each other only when they are the same', () => {
    fc.assert(
      fc.property(network, network, (a, b) => {
        expect(contains(a, b) && contains(b, a)).toBe(cidrText(a) === cidrText(b))
      }),
    )
  })
})

test('a network holds the addresses between its first and its last', () => {
  fc.assert(
    fc.property(network, ip, (net, address) => {
      const first = value(nth(net, 0))
      expect(contains(net, address)).toBe(value(address) >= first && value(address) < first + Number(sizeOf(net)))
    }),
  )
})

test.each([
  ['10.244.0.0/16', 24, 256],
  ['10.244.0.0/24', 24, 1],
  ['10.244.0.0/25', 24, 0],
  ['10.0.0.0/8', 24, 65536],
])('%s has pieces of /%i: %i', (text, prefix, expected) => {
  expect(pieces(cidr(text), prefix)).toBe(expected)
})

test('the tenth address of the Services is that of DNS, and there is none after the last', () => {
  expect([nth(cidr('10.96.0.0/12'), 10), nth(cidr('10.96.0.0/12'), 1), nth(cidr('fd00::/64'), 10)]).toEqual([
    '10.96.0.10',
    '10.96.0.1',
    'fd00::a',
  ])
  expect(() => nth(cidr('10.0.0.0/30'), 4)).toThrow(RangeError)
})
