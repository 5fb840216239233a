import { describe, expect, it } from 'vitest'
import { walls } from '../../src/facts/firewall.ts'
import type { Facts } from '../../src/model/fact.ts'
import { markOf } from '../../src/model/firewall.ts'
import { firewall, wantedRules } from '../../src/steps/firewall.ts'
import { planned, siteOf } from './scene.ts'

const none: Facts<typeof walls> = { ufw: [], firewalld: [], iptables: [], nftables: [] }
const parse = (tool: keyof typeof walls, out: string) => ({ ...none, [tool]: walls[tool].parse(out) })

const ufwRules = (marks: string[]) =>
  `active\n${marks.map((mark) => `### tuple ### allow tcp 6443 0.0.0.0/0 any 10.0.0.12 in comment=${Buffer.from(mark).toString('hex')}`).join('\n')}\n`
const nft = (chain: string, hook: string, policy: string, rules: string) =>
  `@ inet mine ${chain}\ntable inet mine {\n\tchain ${chain} {\n\t\ttype filter hook ${hook} priority filter; policy ${policy};\n${rules}\t}\n}\n`

describe('the firewall', () => {
  it.each([
    ['no firewall', none],
    [
      'iptables that accepts',
      parse('iptables', '-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-A FORWARD -j KUBE-FORWARD\n-A FORWARD -j FLANNEL-FWD\n'),
    ],
    ['iptables that drops one source only', parse('iptables', '-P INPUT ACCEPT\n-A INPUT -s 1.2.3.4/32 -j DROP\n')],
    ['nftables that accepts', parse('nftables', nft('i', 'input', 'accept', '\t\ttcp dport 22 accept\n'))],
    ['ufw that is off', parse('ufw', '')],
  ])('%s asks for no rule', (_, facts) => {
    expect(planned(firewall, facts)).toEqual([])
  })

  it.each([
    ['ufw', parse('ufw', ufwRules([])), ['input', 'forward']],
    ['firewalld', parse('firewalld', 'active\n<zone></zone>\n@trusted\n'), ['input']],
    ['iptables', parse('iptables', '-P INPUT DROP\n-P FORWARD ACCEPT\n'), ['input']],
    [
      'iptables',
      parse(
        'iptables',
        '-P INPUT ACCEPT\n-A INPUT -p icmp -j ACCEPT\n-A INPUT -j REJECT --reject-with icmp-host-prohibited\n-P FORWARD ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n',
      ),
      ['input', 'forward'],
    ],
    ['nftables', parse('nftables', nft('f', 'forward', 'drop', '')), ['forward']],
    ['nftables', parse('nftables', nft('i', 'input', 'accept', '\t\ttcp dport 22 accept\n\t\tdrop\n')), ['input']],
  ])('%s that drops gets every rule of the chains that drop: %#', (tool, facts, chains) => {
    const site = siteOf('w1')
    const wanted = wantedRules(site).filter(({ chain }) => chains.includes(chain))
    const actions = firewall.plan(facts, site)
    const said = actions.map((action) => action.kind === 'firewall' && `${action.tool} ${markOf(action.rule)}`)
    expect(said.toSorted()).toEqual(wanted.map((rule) => `${tool} ${markOf(rule)}`).toSorted())
  })

  it('opens on a worker: the pods, and for each peer the kubelet and the overlay', () => {
    expect(planned(firewall, parse('ufw', ufwRules([])), siteOf('w1'))).toEqual([
      'ufw input 10.244.0.0/16 */*',
      'ufw forward 10.244.0.0/16 */*',
      'ufw input 10.0.0.11 tcp/10250',
      'ufw input 10.0.0.11 udp/8472',
      'ufw forward 10.0.0.11 */*',
      'ufw input 10.0.0.13 tcp/10250',
      'ufw input 10.0.0.13 udp/8472',
      'ufw forward 10.0.0.13 */*',
    ])
  })

  it('opens the API server on the control plane, and never etcd to a worker', () => {
    const lines = planned(firewall, parse('ufw', ufwRules([])), siteOf('cp1'))
    expect(lines).toContain('ufw input 10.0.0.12 tcp/6443')
    expect(lines.join()).not.toContain('2379')
  })

  it('knows the port of each backend', () => {
    const ports = (network: Parameters<typeof siteOf>[1]) =>
      wantedRules(siteOf('w1', network)).flatMap(({ protocol, port }) => (protocol === 'udp' ? [port] : []))
    expect(ports({ network: { provider: 'flannel', backend: 'vxlan', port: 4789 } })).toEqual(['4789', '4789'])
    expect(ports({ network: { provider: 'flannel', backend: 'udp' } })).toEqual(['8285', '8285'])
    expect(ports({ network: { provider: 'flannel', backend: 'host-gw' } })).toEqual([])
  })

  const marks = wantedRules(siteOf('w1')).map(markOf)
  const zone = wantedRules(siteOf('w1'))
    .filter(({ port }) => port)
    .map(
      ({ from, protocol, port }) =>
        `<rule family="ipv4">\n<source address="${from}"/>\n<port port="${port}" protocol="${protocol}"/>\n<accept/>\n</rule>`,
    )
  it.each([
    ['ufw', ufwRules(marks)],
    ['firewalld', `active\n<zone>${zone.join('\n')}</zone>\n@trusted\n<zone><source address="10.244.0.0/16"/></zone>`],
    [
      'iptables',
      `-P INPUT DROP\n-P FORWARD DROP\n${marks.flatMap((mark) => ['INPUT', 'FORWARD'].map((chain) => `-A ${chain} -m comment --comment ${mark} -j ACCEPT\n`)).join('')}`,
    ],
    [
      'nftables',
      nft('i', 'input', 'drop', marks.map((mark) => `\t\tip saddr 1.1.1.1 accept comment "${mark}"\n`).join('')),
    ],
  ] as const)('%s asks for nothing once its rules are there', (tool, out) => {
    expect(planned(firewall, parse(tool, out), siteOf('w1'))).toEqual([])
  })
})
