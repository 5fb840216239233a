import { describe, expect, it } from 'vitest'
import { compile, show, undo } from '../../src/actions/index.ts'
import { paths } from '../../src/facts/files.ts'
import { walls } from '../../src/facts/firewall.ts'
import type { Units } from '../../src/facts/units.ts'
import type { FirewallAction, FirewallRule } from '../../src/model/action.ts'
import type { Facts } from '../../src/model/fact.ts'
import { markOf } from '../../src/model/firewall.ts'
import { firewall, wantedRules } from '../../src/steps/firewall.ts'
import { filesOf, planned, siteOf } from './scene.ts'

type Tool = FirewallAction['tool']
const questions = walls('10.0.0.12')
const none: Facts<ReturnType<typeof firewall.asks>> = {
  ufw: [],
  firewalld: [],
  iptables: [],
  nftables: [],
  files: filesOf({}),
  units: new Map(),
}
const parse = (tool: Tool, out: string) => ({ ...none, [tool]: questions[tool].parse(out) })

const ufwRule = ({ chain, from, translatedTo, protocol, port }: FirewallRule) =>
  `### tuple ### ${chain === 'forward' ? 'route:' : ''}allow ${protocol ?? 'any'} ${port?.replace('-', ':') ?? 'any'} ${translatedTo ?? '0.0.0.0/0'} any ${from ?? '0.0.0.0/0'} in comment=6b3873`
const ufw = (rules: FirewallRule[]) => `active\n${rules.map(ufwRule).join('\n')}\n`
const nft = (chain: string, hook: string, policy: string, rules: string) =>
  `@ inet mine ${chain}\ntable inet mine {\n\tchain ${chain} {\n\t\ttype filter hook ${hook} priority filter; policy ${policy};\n${rules}\t}\n}\n`
const rulesIn = (facts: typeof none, site = siteOf('w1')) =>
  firewall.plan(facts, site).filter((action) => action.kind === 'firewall')

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
    ['firewalld that is off', parse('firewalld', '')],
  ])('%s asks for no rule', (_, facts) => {
    expect(planned(firewall, facts)).toEqual([])
  })

  it.each<[Tool, typeof none, string[]]>([
    ['ufw', parse('ufw', ufw([])), ['input', 'forward']],
    ['firewalld', parse('firewalld', 'public\n\n'), ['input']],
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
    const wanted = wantedRules(siteOf('w1')).filter(({ chain }) => chains.includes(chain))
    const said = rulesIn(facts).map((action) => `${action.tool} ${markOf(action.rule)}`)
    expect(said.toSorted()).toEqual(wanted.map((rule) => `${tool} ${markOf(rule)}`).toSorted())
  })

  it.each<[string, typeof none, Tool[]]>([
    [
      'ufw, whose rules are the ones in iptables',
      { ...parse('ufw', ufw([])), iptables: questions.iptables.parse('-P INPUT DROP\n') },
      ['ufw'],
    ],
    [
      "ufw and somebody's own table",
      { ...parse('ufw', ufw([])), nftables: questions.nftables.parse(nft('i', 'input', 'drop', '')) },
      ['ufw', 'nftables'],
    ],
  ])('beside %s each that drops gets the rules', (_, facts, tools) => {
    expect([...new Set(rulesIn(facts).map(({ tool }) => tool))]).toEqual(tools)
  })

  it('opens on a worker: the pods, what Services send on to them, and for each peer the kubelet and the overlay', () => {
    expect(planned(firewall, parse('ufw', ufw([])), siteOf('w1'))).toEqual([
      'ufw input 10.244.0.0/16 */*',
      'ufw forward 10.244.0.0/16 */*',
      'ufw forward to 10.244.0.0/16 */*',
      'ufw input 10.0.0.11 tcp/10250',
      'ufw input 10.0.0.11 udp/8472',
      'ufw forward 10.0.0.11 */*',
      'ufw input 10.0.0.13 tcp/10250',
      'ufw input 10.0.0.13 udp/8472',
      'ufw forward 10.0.0.13 */*',
    ])
  })

  it('opens the API server on the control plane, and never etcd to a worker', () => {
    const lines = planned(firewall, parse('ufw', ufw([])), siteOf('cp1'))
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

  const wanted = wantedRules(siteOf('w1'))
  const marks = wanted.map(markOf)
  const rich = wanted
    .filter(({ port }) => port)
    .map(
      ({ from, protocol, port }) =>
        `<rule family="ipv4">\n<source address="${from}"/>\n<port port="${port}" protocol="${protocol}"/>\n<accept/>\n</rule>\n`,
    )
    .join('')
  const trusted = '<zone>\n<source address="10.244.0.0/16"/>\n</zone>\n'
  const zones = `644 root:root ${rich.length} /etc/firewalld/zones/public.xml\n644 root:root ${trusted.length} /etc/firewalld/zones/trusted.xml\n\n${rich}${trusted}`
  it.each([
    ['ufw', ufw(wanted)],
    ['firewalld', `public\n${zones}`],
    [
      'iptables',
      `-P INPUT DROP\n-P FORWARD DROP\n${marks.flatMap((mark) => ['INPUT', 'FORWARD'].map((chain) => `-A ${chain} -m comment --comment ${mark} -j ACCEPT\n`)).join('')}`,
    ],
    [
      'nftables',
      nft('i', 'input', 'drop', marks.map((mark) => `\t\tip saddr 1.1.1.1 accept comment "${mark}"\n`).join('')),
    ],
  ] as const)('%s asks for no rule once they are there', (tool, out) => {
    expect(rulesIn(parse(tool, out))).toEqual([])
  })

  describe('that nobody manages', () => {
    const facts = parse('nftables', nft('i', 'input', 'drop', ''))
    const script = () =>
      firewall.plan(facts, siteOf('w1')).find((action) => action.kind === 'file' && action.path === paths.firewall)

    it('gets its rules back at boot, by a unit that comes after it', () => {
      expect(planned(firewall, facts, siteOf('w1')).slice(-3)).toEqual([
        `file ${paths.firewall}`,
        `file ${paths.firewallUnit}`,
        'service k8snet-firewall.service enabled active',
      ])
      const text = JSON.stringify(script())
      for (const rule of wanted.filter(({ chain }) => chain === 'input')) expect(text).toContain(markOf(rule))
    })

    it('asks for nothing once all is there', () => {
      const files = firewall
        .plan(facts, siteOf('w1'))
        .flatMap((action) => (action.kind === 'file' ? [[action.path, String(action.want?.content)]] : []))
      const units: Units = new Map([
        ['k8snet-firewall.service', { enabled: 'enabled', active: true, fragment: paths.firewallUnit, source: '' }],
      ])
      const there = nft('i', 'input', 'drop', marks.map((mark) => `\t\taccept comment "${mark}"\n`).join(''))
      const after = { ...parse('nftables', there), files: filesOf(Object.fromEntries(files)), units }
      expect(planned(firewall, after, siteOf('w1'))).toEqual([])
      expect(planned(firewall, { ...after, units: new Map() }, siteOf('w1'))).toEqual([
        'service k8snet-firewall.service enabled active',
      ])
    })
  })

  it("keeps firewalld's files as they were with the first rule, so that the last undo gives them back", () => {
    const [first, ...others] = rulesIn(parse('firewalld', 'public\n\n'))
    expect(Object.keys(first!.files!)).toContain('/etc/firewalld/zones/public.xml')
    expect(others.filter(({ files }) => files)).toEqual([])
    expect(undo(first!).map(compile).join()).toContain('rm -f /etc/firewalld/zones/public.xml')
  })

  it.each<[Tool, string | undefined]>([
    ['ufw', undefined],
    ['firewalld', 'public'],
    ['iptables', 'FORWARD'],
    ['nftables', 'inet mine f'],
  ])('%s: the command that a person sees is the one that runs', (tool, into) => {
    const rule: FirewallRule = { chain: 'forward', from: '10.244.0.0/16' }
    const action: FirewallAction = { kind: 'firewall', tool, rule, ...(into && { into }) }
    expect(compile(action)).toContain(show(action).command!)
  })
})
