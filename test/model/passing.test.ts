import { describe, expect, it } from 'vitest'
import type { Match, Netfilter } from '../../src/model/netfilter.ts'
import { holds, keyHolds, marked, type Passing } from '../../src/model/passing.ts'

const packet: Passing = {
  saddr: '10.244.1.5',
  daddr: '10.96.0.10',
  protocol: 'udp',
  sport: 40000,
  dport: 53,
  iif: 'cni0',
}
const netfilter: Netfilter = { chains: [], backends: [], sets: new Map([['some', [{ key: ['10.96.0.0/12', '53'] }]]]) }
const from = (...cidrs: string[]): Match => ({ what: 'saddr', cidrs })

describe('a match', () => {
  it.each<[string, Match, Passing, boolean | null]>([
    ['a network', from('10.244.0.0/16'), packet, true],
    ['another network', from('10.245.0.0/16'), packet, false],
    ['one of several networks', from('10.245.0.0/16', '10.244.1.5'), packet, true],
    ['not a network', { ...from('10.244.0.0/16'), not: true } as Match, packet, false],
    ['a range', from('10.244.1.4-10.244.1.6'), packet, true],
    ['a range that ends before it', from('10.244.1.1-10.244.1.4'), packet, false],
    ['a range, for a network half in it', from('10.244.1.0-10.244.1.9'), { saddr: '10.244.1.0/24' }, null],
    ['a range, for a network all in it', from('10.244.0.0-10.244.9.255'), { saddr: '10.244.1.0/24' }, true],
    ['everything, for an address that is not known', from('0.0.0.0/0'), {}, true],
    ['a network, for an address that is not known', from('10.0.0.0/8'), {}, null],
    ['IPv6, for an address that is not known', from('fd00::/8'), {}, false],
    ['a port', { what: 'dport', ports: [[50, 60]] }, packet, true],
    ['a port, for ICMP', { what: 'dport', ports: [[0, 65535]] }, { protocol: 'icmp' }, false],
    ['a name that begins so', { what: 'iif', names: ['cni+'] }, packet, true],
    ['no interface', { what: 'oif', names: ['eth0'] }, { oif: '' }, false],
    ['a set', { what: 'set', keys: ['ip daddr', 'udp dport'], set: 'some' }, packet, true],
    ['a set, of another protocol', { what: 'set', keys: ['ip daddr', 'tcp dport'], set: 'some' }, packet, false],
    ['a set that is not there', { what: 'set', keys: ['ip daddr'], set: 'none' }, packet, null],
    ['what is not understood', { what: 'unknown', text: 'fib daddr type local' }, packet, null],
    ['what is not understood, of another protocol', { what: 'unknown', text: 'icmp type 8' }, packet, false],
  ])('of %s', (_, match, passing, expected) => {
    expect(holds(match, passing, netfilter)).toBe(expected)
  })
})

it.each<[string, string, boolean | null]>([
  ['meta l4proto', 'udp', true],
  ['meta nfproto', 'ipv6', false],
  ['th dport', '50-60', true],
  ['th dport', '*', true],
  ['iifname', 'cni*', true],
  ['ct state', 'new', null],
  ['ether saddr', '02:00:00:00:00:01', null],
])('the field %s of a key is %s: %s', (field, value, expected) => {
  expect(keyHolds([field], { key: [value] }, packet)).toBe(expected)
})

it.each([
  ['set', 0xf0, 0xff, 0x1_0f, 0x1_f0],
  ['or', 0x4000, 0, 0x1, 0x4001],
  ['and', 0x4000, 0, 0x4001, 0x4000],
  ['xor', 0x8000_0000, 0, 0x1, 0x8000_0001],
] as const)('a mark is changed by %s', (how, value, mask, before, after) => {
  expect(marked(before, { do: 'mark', value, mask, how })).toBe(after)
})
