import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  addresses,
  ask,
  type Language,
  layWires,
  patience,
  port,
  programs,
  type Running,
  start,
  type Wires,
} from './netns.ts'

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
      await start(wires, 'one', asFirst([...programs.python, 'server', 'one', `${port}`, '3600'])),
      await start(wires, 'two', asFirst([...programs.perl, 'server', 'two', `${port}`, '3600'])),
      await start(wires, 'two', [process.execPath, dns, name, '10.96.0.7']),
    )
  })
  afterAll(async () => {
    await Promise.all(running.map((it) => it.stop()))
    wires.remove()
  })

  /** What a program says of a probe that has so many seconds. */
  const line = async (language: Language, probe: string, seconds = patience) => {
    // Fragments are counted for the whole host.
    const command = probe.startsWith('frag') ? asFirst(programs[language]) : language
    for (let left = 4; ; left--) {
      const said = (await ask(wires, command, [`1/${seconds} ${probe}`])).get('1') ?? ''
      // Each of many connections has 2 s: where a few were too slow, the machine stood still.
      if (left === 0 || !/^ok .* [1-9]\d* timeout$/.test(said)) return said
    }
  }
  const each = languages.flatMap((language) => [[language] as const])

  // Probes without an answer, and those that wait for a change, take all of their time.
  it.each<[string, string, RegExp, number?]>([
    ['tcp, tried until it works', `trytcp ${one} ${port}`, /^ok one 10\.9\.1\.2$/],
    ['udp, tried until it works', `tryudp ${two} ${port}`, /^ok two 10\.9\.1\.2$/],
    ['a port where nobody listens, until its time is over', `trytcp ${one} 18421`, /^fail refused$/, 1.5],
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
    ['a server that never was the one', `move ${two} ${port} 6,one`, /^fail never$/, 10],
    ['a server that stays', `move ${one} ${port} 6,one`, /^fail kept 6 6$/, 10],
    ['nobody', `move ${one} 18421 6,one`, /^fail timeout$/, 1.5],
  ])('both see %s', async (_, probe, expected, seconds) => {
    for (const said of await Promise.all(languages.map((language) => line(language, probe, seconds))))
      expect(said).toMatch(expected)
  })

  it('counts all connections of a Service once', async () => {
    for (const language of languages) {
      const said = await line(language, `spreadtcp ${service} ${port} 200,16`)
      const counts = [...said.matchAll(/=(\d+)/g)]
      expect(
        counts.reduce((sum, [, count]) => sum + Number(count), 0),
        said,
      ).toBe(200)
    }
  })

  it.each(each)('%s: an own time ends a probe before the others', async (language) => {
    wires.run('router', `iptables -I FORWARD -d ${one} -j DROP`)
    try {
      const some = [`2 tcp ${one} ${port}`, `0/4 tcp ${one} ${port}`, `1 tcp ${two} ${port}`]
      const said = await ask(wires, language, some, { seconds: 9 })
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
      const lost = [`2 bigudp ${one} ${port} 0`, `4 bigtcp ${one} ${big}`]
      const small = [`udp ${one} ${port}`, `bigudp ${one} ${port} 1000`, `bigudp ${two} ${port} 0`]
      const arrives = small.map((probe, i) => `${2 * i + 1}/${patience} ${probe}`)
      const said = await ask(wires, language, [...lost, ...arrives])
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
        // A program that changes its processor on the way may be told of a packet before it has been put together.
        const seen = (expected: string) =>
          vi.waitFor(async () => expect(await line(language, `frag 10.99.0.2 ${port}`)).toBe(expected), 60_000)
        await seen('ok 1450 8 0 0')
        for (const [member] of ends) wires.run(member, 'ip link set tunnel mtu 1500')
        await seen('ok 1500 8 16 8')
      } finally {
        for (const [member] of ends) wires.undo(member, 'ip link del tunnel')
      }
    },
  )

  const chain = 'iptables -t nat'
  const rule = (to: string) => `PREROUTING -d ${service} -p udp --dport ${port} -j DNAT --to ${to}`

  it.each(each)('%s: an endpoint whose rules come late is waited for by new clients', async (language) => {
    wires.run('router', `${chain} -I ${rule(two)}`)
    // Its rules come once the other endpoint has got clients.
    const watch = setInterval(() => {
      const [, , packets] = wires.run('router', `${chain} -L PREROUTING -n -v -x`).split('\n')
      if (!/^ *[1-9]/.test(packets ?? '')) return
      clearInterval(watch)
      wires.run('router', `${chain} -I ${rule(one)}`)
    }, 100)
    try {
      const lines = await ask(wires, language, [`1/12 move ${service} ${port} 6,one`])
      // A client that just then waits for an answer of the other endpoint may get it, and stay there.
      expect(lines.get('1')).toMatch(/^fail kept ([1-6]) \1$/)
    } finally {
      clearInterval(watch)
      wires.undo('router', `${chain} -D ${rule(one)}`, `${chain} -D ${rule(two)}`)
    }
  })

  it.each(each)('%s: a client is told of as led to another endpoint once it is', async (language) => {
    wires.run(
      'router',
      'sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1 net.netfilter.nf_conntrack_udp_timeout_stream=1',
    )
    wires.run('router', `${chain} -I ${rule(one)}`)
    let again: NodeJS.Timeout | undefined
    // All clients have had an answer. The endpoint goes: its rule, and after a while the kernel forgets the clients that it had.
    const onSign = () => {
      wires.run('router', `${chain} -D ${rule(one)}`)
      wires.run('router', `${chain} -I ${rule(two)}`)
      wires.run('router', `iptables -t raw -I PREROUTING -s ${client} -p udp -j DROP`)
      again = setTimeout(() => wires.run('router', 'iptables -t raw -F PREROUTING'), 3000)
    }
    try {
      const said = await ask(wires, language, [`1/60 move ${service} ${port} 6,one`], { onSign })
      expect(said.get('1')).toBe('ok 6')
    } finally {
      clearTimeout(again)
      wires.undo('router', 'iptables -t raw -F PREROUTING', ...[one, two].map((to) => `${chain} -D ${rule(to)}`))
    }
  })
})
