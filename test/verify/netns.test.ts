import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  addresses,
  ask,
  layWires,
  patience,
  port,
  programs,
  type Running,
  start,
  template,
  type Wires,
} from './netns.ts'

const languages = ['python', 'perl'] as const
const { client, one, two, service } = addresses
const probes = [
  `1 tcp ${one} ${port}`,
  `2 udp ${one} ${port}`,
  `3 icmp ${one}`,
  `4 svctcp ${service} ${port} 2`,
  `5 svcudp ${service} ${port} 2`,
  `6 dnsudp ${two} 53 probe.test.svc.cluster.local`,
  `7 dnstcp ${two} 53 probe.test.svc.cluster.local`,
  `8 dnsudp ${two} 53 absent.test.svc.cluster.local`,
  `9 tcp ${one} 18421`,
  `10 udp ${one} 18421`,
  `11 http ${two} ${port}`,
]
const healthy = {
  1: `ok one ${client}`,
  2: `ok one ${client}`,
  3: `ok ${one}`,
  4: 'ok one,two',
  5: 'ok one,two',
  6: 'ok NOERROR 10.96.0.7',
  7: 'ok NOERROR 10.96.0.7',
  8: 'ok NXDOMAIN -',
  9: 'fail refused',
  10: 'fail refused',
  11: `ok two ${client}`,
}

type Lines = Readonly<Record<string, string | RegExp>>

/** The probes with the time that they need for these lines: one that misses an endpoint tries all of its time to reach it. */
const probesFor = (lines: Lines) =>
  probes.map((probe) => {
    const id = probe.slice(0, probe.indexOf(' '))
    const line = { ...healthy, ...lines }[id] as string | RegExp
    if (typeof line === 'string' && line.startsWith('fail timeout')) return probe
    return `${id}/${typeof line === 'string' ? patience : 6}${probe.slice(id.length)}`
  })

/** A fault, how it is made and undone, and which lines it changes. */
const faults: { title: string; in: 'router' | 'one' | 'client'; on: string; off: string; lines: Lines }[] = [
  {
    title: 'a packet filter that drops everything to a server',
    in: 'router',
    on: `iptables -I FORWARD -d ${one} -j DROP`,
    off: `iptables -D FORWARD -d ${one} -j DROP`,
    lines: {
      1: 'fail timeout',
      2: 'fail timeout',
      3: 'fail timeout',
      4: /^fail missed two \d+$/,
      5: /^fail missed two \d+$/,
      9: 'fail timeout',
      10: 'fail timeout',
    },
  },
  {
    title: 'MASQUERADE on the way: the server sees the router',
    in: 'router',
    on: `iptables -t nat -I POSTROUTING -s ${client} -d ${one} -j MASQUERADE`,
    off: `iptables -t nat -D POSTROUTING -s ${client} -d ${one} -j MASQUERADE`,
    lines: { 1: 'ok one 10.9.2.1', 2: 'ok one 10.9.2.1' },
  },
  {
    title: 'a filter that drops UDP only',
    in: 'router',
    on: `iptables -I FORWARD -p udp -d ${one} -j DROP`,
    off: `iptables -D FORWARD -p udp -d ${one} -j DROP`,
    lines: { 2: 'fail timeout', 5: /^fail missed two \d+$/, 10: 'fail timeout' },
  },
  {
    title: 'a firewall that rejects, which only TCP is told',
    in: 'router',
    on: `iptables -I FORWARD -d ${one} -j REJECT --reject-with icmp-host-unreachable`,
    off: `iptables -D FORWARD -d ${one} -j REJECT --reject-with icmp-host-unreachable`,
    lines: {
      1: 'fail unreachable',
      2: 'fail timeout',
      3: 'fail timeout',
      4: /^fail missed two \d+$/,
      5: /^fail missed two \d+$/,
      9: 'fail unreachable',
      10: 'fail timeout',
    },
  },
  {
    title: 'a router that does not forward',
    in: 'router',
    on: 'sysctl -qw net.ipv4.ip_forward=0',
    off: 'sysctl -qw net.ipv4.ip_forward=1',
    lines: {
      ...Object.fromEntries([1, 2, 3, 6, 7, 8, 9, 10, 11].map((id) => [id, 'fail timeout'])),
      4: 'fail timeout - 0',
      5: 'fail timeout - 0',
    },
  },
  {
    title: 'an endpoint that the Service does not reach',
    in: 'router',
    on: `iptables -t nat -I PREROUTING -d ${service} -p tcp --dport ${port} -j DNAT --to ${two}`,
    off: `iptables -t nat -D PREROUTING -d ${service} -p tcp --dport ${port} -j DNAT --to ${two}`,
    lines: { 4: /^fail missed two \d+$/ },
  },
  {
    title: "an output filter on the client's side",
    in: 'client',
    on: `iptables -I OUTPUT -p udp -d ${one} -j DROP`,
    off: `iptables -D OUTPUT -p udp -d ${one} -j DROP`,
    lines: { 2: 'fail denied', 10: 'fail denied' },
  },
]

describe('the probe programs in real network namespaces', () => {
  let wires: Wires
  const running: Running[] = []

  beforeAll(async () => {
    wires = layWires()
    running.push(
      await start(wires, 'one', [...programs.python, 'server', 'one', `${port}`, '3600']),
      await start(wires, 'two', [...programs.perl, 'server', 'two', `${port}`, '3600']),
      await start(wires, 'two', [
        process.execPath,
        new URL('./dns-server.mjs', import.meta.url).pathname,
        'probe.test.svc.cluster.local',
        '10.96.0.7',
      ]),
    )
  })

  afterAll(async () => {
    await Promise.all(running.map((it) => it.stop()))
    wires.remove()
  })

  const both = async (lines: Lines) =>
    (await Promise.all(languages.map((language) => ask(wires, language, probesFor(lines))))).map((lines) =>
      Object.fromEntries(lines),
    )
  const expected = (lines: Lines) =>
    Object.fromEntries(
      Object.entries({ ...healthy, ...lines }).map(([id, line]) => [
        id,
        typeof line === 'string' ? line : expect.stringMatching(line),
      ]),
    )

  it('both reach what is there and name what is not', async () => {
    const [python, perl] = await both({})
    expect(python).toEqual(expected({}))
    expect(perl).toEqual(expected({}))
  })

  it.each(faults)('both see $title, and all is well once it is undone', async ({ in: member, on, off, lines }) => {
    wires.run(member, on)
    try {
      const [python, perl] = await both(lines)
      expect(python).toEqual(expected(lines))
      expect(perl).toEqual(expected(lines))
    } finally {
      wires.run(member, off)
    }
    for (const lines of await both({})) expect(lines).toEqual(expected({}))
  })

  it.each(languages)('a lost datagram is sent again by %s: UDP may lose one without a fault', async (language) => {
    const rule = `FORWARD -p udp -d ${one} -m statistic --mode nth --every 2 --packet 0 -j DROP`
    wires.run('router', `iptables -I ${rule}`)
    try {
      const lines = await ask(wires, language, [`2/${patience} udp ${one} ${port}`])
      expect(lines.get('2')).toBe(`ok one ${client}`)
    } finally {
      wires.run('router', `iptables -D ${rule}`)
    }
  })

  it('perl-base alone is enough: without Time::HiRes the same lines come', async () => {
    const blocked = ['perl', '-e', 'BEGIN { $INC{"Time/HiRes.pm"} = undef } do shift @ARGV', template('probe.pl')]
    expect(Object.fromEntries(await ask(wires, blocked, probesFor({})))).toEqual(expected({}))
  })

  it.each(languages)('a %s server that cannot listen says why instead of staying', async (language) => {
    await expect(start(wires, 'one', [...programs[language], 'server', 'again', `${port}`, '60'])).rejects.toThrow(
      `error server again ${port}: Address already in use`,
    )
  })

  it.each(languages)('a %s server ends by itself once nobody reads its output', async (language) => {
    const child = spawn('ip', [
      'netns',
      'exec',
      wires.name('client'),
      ...programs[language],
      'server',
      'x',
      '18999',
      '600',
    ])
    const ended = once(child, 'exit')
    await once(child.stdout, 'data')
    const began = performance.now()
    child.stdout.destroy()
    const late = setTimeout(() => child.kill('SIGKILL'), 60_000)
    await ended
    clearTimeout(late)
    // It says something every second, and that fails now.
    expect(performance.now() - began).toBeLessThan(60_000)
  })
})
