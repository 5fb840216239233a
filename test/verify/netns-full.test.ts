import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addresses, ask, type Language, layWires, port, programs, type Running, start, type Wires } from './netns.ts'

const languages = ['python', 'perl'] as const
const { client, one, two, service } = addresses
const name = 'probe.test.svc.cluster.local'
const big = port + 80
const dns = new URL('./dns-server.mjs', import.meta.url).pathname
/** A process that is number one of its own sees the counters of its own network as those of the host. */
const asFirst = (command: readonly string[]) => [
  'unshare',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
  ...command,
]

describe('the probes of the full level in real network namespaces', () => {
  let wires: Wires
  const running: Running[] = []

  beforeAll(async () => {
    wires = layWires()
    running.push(
      await start(wires, 'one', asFirst([...programs.python, 'server', 'one', `${port}`, '600'])),
      await start(wires, 'two', [...programs.perl, 'server', 'two', `${port}`, '600']),
      await start(wires, 'two', [process.execPath, dns, name, '10.96.0.7']),
    )
  })
  afterAll(async () => {
    await Promise.all(running.map((it) => it.stop()))
    wires.remove()
  })

  /** What a program says of a probe; one of many connections has the time that it needs. */
  const line = async (language: Language, probe: string) =>
    (await ask(wires, language, [`1${probe.startsWith('spread') ? '/8' : ''} ${probe}`])).get('1')
  const each = languages.flatMap((language) => [[language] as const])

  it.each<[string, string, RegExp]>([
    ['tcp, tried until it works', `trytcp ${one} ${port}`, /^ok one 10\.9\.1\.2$/],
    ['udp, tried until it works', `tryudp ${two} ${port}`, /^ok two 10\.9\.1\.2$/],
    ['a port where nobody listens, until its time is over', `trytcp ${one} 18421`, /^fail refused$/],
    ['a share of both endpoints', `spreadtcp ${service} ${port} 60,8`, /^ok one=\d+,two=\d+ 10\.9\.1\.2 0 -$/],
    ['a share of both over UDP', `spreadudp ${service} ${port} 60,8`, /^ok one=\d+,two=\d+ 10\.9\.1\.2 0 -$/],
    ['no share where nobody listens', `spreadtcp ${one} 18421 6,2`, /^fail refused$/],
    ['many bytes over TCP, of a Python server', `bigtcp ${one} ${big}`, /^ok one 10\.9\.1\.2$/],
    ['many bytes over TCP, of a Perl server', `bigtcp ${two} ${big}`, /^ok two 10\.9\.1\.2$/],
    ['a full packet', `bigudp ${one} ${port} 0`, /^ok one 10\.9\.1\.2$/],
    ['8000 bytes in fragments', `bigudp ${two} ${port} 8000`, /^ok two 10\.9\.1\.2$/],
    ['whole packets', `frag ${two} ${port}`, /^ok 1500 8 0 0$/],
    ['the second name of a search list', `search ${two} 53 absent.test,${name}`, /^ok NOERROR 10\.96\.0\.7$/],
    ['no name of a search list', `search ${two} 53 absent.test,lost.test`, /^ok NXDOMAIN -$/],
    ['a connection to an address', `connect ${one} ${port} -`, /^ok 10\.9\.2\.2$/],
    ['a connection to a name that is not there', `connect absent.test ${port} ${two}`, /^fail dns: NXDOMAIN -$/],
    ['a server that never was the one', `move ${two} ${port} 6,one`, /^fail never$/],
    ['a server that stays', `move ${one} ${port} 6,one`, /^fail kept 6 6$/],
    ['nobody', `move ${one} 18421 6,one`, /^fail timeout$/],
  ])('both see %s', async (_, probe, expected) => {
    for (const said of await Promise.all(languages.map((language) => line(language, probe))))
      expect(said).toMatch(expected)
  })

  it('counts all connections of a Service once', async () => {
    for (const language of languages) {
      const counts = [...((await line(language, `spreadtcp ${service} ${port} 200,16`)) ?? '').matchAll(/=(\d+)/g)]
      expect(counts.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(200)
    }
  })

  it.each(each)('%s: an own time ends a probe before the others', async (language) => {
    wires.run('router', `iptables -I FORWARD -d ${one} -j DROP`)
    try {
      const said = await ask(wires, language, [
        `2 tcp ${one} ${port}`,
        `0/0.4 tcp ${one} ${port}`,
        `1 tcp ${two} ${port}`,
      ])
      expect([...said]).toEqual([
        ['1', `ok two ${client}`],
        ['0', 'fail timeout'],
        ['2', 'fail timeout'],
      ])
    } finally {
      wires.run('router', `iptables -D FORWARD -d ${one} -j DROP`)
    }
  })

  it.each(each)('%s: what is too large for the way is lost, what is small arrives', async (language) => {
    const rules = [
      `FORWARD -d ${one} -m length --length 1300:65535 -j DROP`,
      `FORWARD -s ${one} -m length --length 1300:65535 -j DROP`,
    ]
    for (const rule of rules) wires.run('router', `iptables -I ${rule}`)
    try {
      const probes = [`1 udp ${one} ${port}`, `2 bigudp ${one} ${port} 0`, `3 bigudp ${one} ${port} 1000`]
      const said = await ask(wires, language, [...probes, `4 bigtcp ${one} ${big}`, `5 bigudp ${two} ${port} 0`])
      expect([...said.values()].sort()).toEqual(
        ['fail timeout', 'fail timeout', `ok one ${client}`, `ok one ${client}`, `ok two ${client}`].sort(),
      )
      expect(said.get('2')).toBe('fail timeout')
      expect(said.get('4')).toBe('fail timeout')
    } finally {
      for (const rule of rules) wires.run('router', `iptables -D ${rule}`)
    }
  })

  it.each(each)(
    '%s: fragments of a tunnel are counted on both sides, and only when there are any',
    async (language) => {
      const ends = [
        ['client', one],
        ['one', client],
      ] as const
      for (const [member, peer] of ends) {
        wires.run(member, `ip link add tunnel type vxlan id 7 remote ${peer} dstport 4789`)
        wires.run(member, `ip addr add 10.99.0.${member === 'client' ? 1 : 2}/24 dev tunnel`)
        wires.run(member, 'ip link set tunnel mtu 1450 up')
      }
      try {
        const see = async () => (await ask(wires, asFirst(programs[language]), [`1 frag 10.99.0.2 ${port}`])).get('1')
        expect(await see()).toBe('ok 1450 8 0 0')
        for (const [member] of ends) wires.run(member, 'ip link set tunnel mtu 1500')
        expect(await see()).toBe('ok 1500 8 16 8')
      } finally {
        for (const [member] of ends) wires.run(member, 'ip link del tunnel')
      }
    },
  )

  it.each(each)('%s: an endpoint whose rules come late is waited for by new clients', async (language) => {
    const rule = (to: string) => `PREROUTING -d ${service} -p udp --dport ${port} -j DNAT --to ${to}`
    wires.run('router', `iptables -t nat -I ${rule(two)}`)
    const later = setTimeout(() => wires.run('router', `iptables -t nat -I ${rule(one)}`), 1000)
    try {
      const lines = await ask(wires, language, [`1/4 move ${service} ${port} 6,one`])
      // A client that just then waits for an answer of the other endpoint may get it, and stay there.
      expect(lines.get('1')).toMatch(/^fail kept ([1-6]) \1$/)
    } finally {
      clearTimeout(later)
      wires.run('router', `iptables -t nat -D ${rule(one)}`)
      wires.run('router', `iptables -t nat -D ${rule(two)}`)
    }
  })

  it.each(each)('%s: a client is told of as led to another endpoint once it is', async (language) => {
    const rule = (to: string) => `PREROUTING -d ${service} -p udp --dport ${port} -j DNAT --to ${to}`
    wires.run(
      'router',
      'sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1 net.netfilter.nf_conntrack_udp_timeout_stream=1',
    )
    wires.run('router', `iptables -t nat -I ${rule(one)}`)
    let again: NodeJS.Timeout | undefined
    // All clients have had an answer. The endpoint goes: its rule, and after a while the kernel forgets the clients that it had.
    const move = () => {
      wires.run('router', `iptables -t nat -D ${rule(one)}`)
      wires.run('router', `iptables -t nat -I ${rule(two)}`)
      wires.run('router', `iptables -t raw -I PREROUTING -s ${client} -p udp -j DROP`)
      again = setTimeout(() => wires.run('router', 'iptables -t raw -F PREROUTING'), 3000)
    }
    try {
      const said = await ask(wires, language, [`1/16 move ${service} ${port} 6,one`], move)
      expect(said.get('1')).toBe('ok 6')
    } finally {
      clearTimeout(again)
      wires.run('router', 'iptables -t raw -F PREROUTING')
      wires.run('router', `iptables -t nat -D ${rule(two)}`)
    }
  })
})
