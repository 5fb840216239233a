import { describe, expect, it } from 'vitest'
import type { Reply } from '../../src/model/fact.ts'
import type { Host, Inventory } from '../../src/model/inventory.ts'
import type { Hands, LookOptions } from '../../src/model/ports.ts'
import type { Check } from '../../src/model/report.ts'
import { exits, Failure } from '../../src/model/trouble.ts'
import type { OutsideProbe } from '../../src/verify/outside.ts'
import { verify } from '../../src/verify/verify.ts'
import { fullStateOf, inventoryOf, namespace as sample } from './scene.ts'

const programs = { python: 'PYTHON', perl: 'PERL' }

/** How the hosts of a cluster answer. */
interface Play {
  readonly line?: (node: string, probe: string, attempt: number) => string | undefined
  /** What a node's servers say besides; `ready h-NODE` where nothing is given. */
  readonly host?: string
  readonly kubelet?: (node: string) => string
  /** Rows of the state besides. */
  readonly rows?: string
  readonly onClient?: () => void
}

function cluster(inventory: Inventory, play: Play = {}) {
  const log: string[] = []
  const asked = new Map<string, number>()
  const state = fullStateOf(inventory)
  const extras = (host: Host) =>
    state.pods.filter(({ name, node }) => /^[uvp]-/.test(name) && node === host.name).map(({ name }) => name)
  const good = (host: Host, probe: string): string => {
    const [, kind = '', ip = '', port = '', arg = ''] = probe.split(' ')
    const i = inventory.hosts.indexOf(host)
    const all = inventory.hosts.map(({ name }) => `b-${name}`).sort()
    const [, , third, fourth] = ip.split('.')
    if (/^(icmp|http|connect)$/.test(kind)) return `ok 1 ${ip}`
    if (kind.startsWith('svc')) return `ok 1 ${all.slice(0, Number(arg)).join(',')}`
    if (kind.startsWith('spread') && ip === '10.99.2.2') return 'ok 1 b-cp1=20 10.244.0.2 0 -'
    if (kind.startsWith('spread')) return `ok 1 ${all.map((name) => `${name}=100`).join(',')} 10.244.${i}.2 0 -`
    if (kind === 'frag') return 'ok 1 1450 8 0 0'
    if (kind === 'move') return 'ok 900 12'
    if (kind.startsWith('dns') || kind === 'search') {
      const found = arg.startsWith('kubernetes.') || arg.startsWith('elsewhere.') ? '10.96.0.1' : '10.99.1.2'
      const pods = inventory.hosts.map((_, n) => `10.244.${n}.3`).sort()
      if (arg.startsWith('headless.')) return `ok 1 NOERROR ${pods.join(',')}`
      return `ok 1 NOERROR ${/^(first|10-)/.test(arg) ? '10.244.0.3' : found}`
    }
    if (kind === 'udp' && /^300[12]\d$/.test(port)) return 'fail 800 timeout'
    if (kind === 'tcp' && /^300[12]\d$/.test(port)) return 'fail 800 timeout'
    if (ip.startsWith('192.168.') && Number(port) >= 20500 && Number(port) < 22000)
      return `ok 1 h-${inventory.hosts.find(({ nodeIP }) => nodeIP === ip)?.name} 10.244.${i}.2`
    if (ip.startsWith('192.168.') && port.startsWith('300')) return `ok 1 b-cp1 ${host.nodeIP}`
    if (ip.startsWith('192.168.'))
      return `ok 1 b-${inventory.hosts.find(({ nodeIP }) => nodeIP === ip)?.name} 10.244.${i}.2`
    if (ip === '10.99.2.1') return `ok 1 b-${host.name} 10.244.${i}.1`
    if (ip === '127.0.0.1') return `ok 1 a-${host.name} 127.0.0.1`
    const letter = fourth === '2' ? 'a' : fourth === '22' ? 'p' : 'b'
    return `ok 1 ${letter}-${inventory.hosts[Number(third)]?.name} 10.244.${i}.2`
  }
  const on = (host: Host): Hands => {
    const run = async (script: string, options: LookOptions = {}): Promise<Reply> => {
      const say = options.onLine ?? (() => {})
      if (script.startsWith('cat ')) return { out: '1\n', err: '', code: 0 }
      if (script.includes('kubectl create')) {
        const namespace = /kubectl -n (\S+) wait/.exec(script)?.[1] ?? ''
        log.push('create')
        return { out: `${stateText(inventory, namespace)}\n${play.rows ?? ''}`, err: '', code: 0 }
      }
      if (script.includes('delete pod ')) {
        log.push(`delete ${/delete pod (\S+)/.exec(script)?.[1]}`)
        return { out: '', err: '', code: 0 }
      }
      if (script.includes('delete namespace')) {
        log.push('remove')
        return { out: '', err: '', code: 0 }
      }
      if (script.includes('proxy/healthz')) {
        log.push('kubelets')
        for (const { name } of inventory.hosts) say(`kubelet ${name} ${play.kubelet?.(name) ?? 'ok'}`)
        return { out: '', err: '', code: 0 }
      }
      if (script.includes('pid_of()')) {
        const own = [`a-${host.name}`, `b-${host.name}`, ...extras(host)]
        for (const place of [`a-${host.name}/one`, `a-${host.name}/two`, `b-${host.name}/one`])
          say(`pid ${place} 77 net:[${place.slice(0, 1)}]`)
        say(`resolv a-${host.name} search ns.svc.cluster.local`)
        say(`resolv a-${host.name} nameserver 10.96.0.10`)
        for (const name of own) say(`ready ${name}`)
        say(play.host ? play.host.replaceAll('@', host.name) : `ready h-${host.name}`)
        return new Promise((_, reject) => {
          options.signal?.addEventListener('abort', () =>
            reject(new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'stopped' })),
          )
        })
      }
      play.onClient?.()
      for (const match of script.matchAll(
        /'(\d+(?:\/[\d.]+)? (?:try|tcp|udp|icmp|svc|dns|http|spread|big|frag|search|connect|move)[^']*)'/g,
      )) {
        const probe = (match[1] as string).replace(/^(\d+)\/[\d.]+/, '$1')
        const attempt = (asked.get(probe) ?? 0) + 1
        asked.set(probe, attempt)
        const id = probe.split(' ')[0]
        if (probe.includes(' move ')) {
          say(`s ${id}`)
          log.push(`moving on ${host.name}`)
        }
        say(`r ${id} ${play.line?.(host.name, probe, attempt) ?? good(host, probe)}`)
      }
      return { out: '', err: '', code: 0 }
    }
    const never = () => Promise.reject(new Error('verify does not ask for it'))
    return { host, look: run, change: run, send: never, run: never, again: never, close: () => {} }
  }
  const nodes = new Map(inventory.hosts.map((host) => [host, on(host)]))
  return { leader: nodes.get(inventory.hosts[0] as Host) as Hands, nodes, log }
}

function stateText(inventory: Inventory, namespace: string): string {
  const { nodes, pods, services } = fullStateOf(inventory)
  const list = (map: ReadonlyMap<string, number | string>) =>
    [...map].map(([key, value]) => `${key}=${value},`).join('')
  const own = (name: string) => (name === sample ? namespace : name)
  return [
    ...nodes.map((it) => ['node', it.name, it.podCIDR, `${it.internalIP},`, 'True', 'KubeletReady "ok"']),
    ...pods.map(({ namespace, name, node, phase, ip, app, containers }) => {
      const ids = list(containers)
      return ['pod', own(namespace), name, node, phase, '', 'True', '', ip, app, ids, `${ip},`]
    }),
    ...services.map((it) => ['service', own(it.namespace), it.name, it.clusterIP, list(it.nodePorts)]),
  ]
    .map((row) => row.join('\t'))
    .join('\n')
}

const three = inventoryOf(3)
const named = (checks: readonly Check[]) => checks.map(({ id, code }) => (code ? `${id} ${code}` : id))
const bad = (checks: readonly Check[]) => named(checks.filter(({ outcome }) => outcome !== 'passed'))

describe('verify at the full level', () => {
  it('passes on a healthy cluster, says what deviates, and leaves nothing', async () => {
    const it = cluster(three)
    const report = await verify(it, three, { programs, level: 'full' })
    expect(bad(report.checks)).toEqual([])
    expect(report).toMatchObject({ ok: true, level: 'full' })
    expect(report.sampled).toBeUndefined()
    expect(new Set(report.checks.map(({ scenario }) => scenario)).size).toBe(19)
    expect(report.checks.find(({ scenario }) => scenario === 'network-policy')?.note).toMatch(/^NETPOL_NOT_ENFORCED: /)
    expect(it.log.filter((line) => /create|delete|kubelets|remove/.test(line))).toEqual([
      'create',
      'delete u-cp1',
      'kubelets',
      'remove',
    ])
  })

  it('deletes the endpoint only once the clients of all nodes talk to it', async () => {
    const it = cluster(three)
    await verify(it, three, { programs, level: 'full' })
    const deleted = it.log.indexOf('delete u-cp1')
    for (const node of ['cp1', 'w1', 'w2']) expect(it.log.indexOf(`moving on ${node}`)).toBeLessThan(deleted)
  })

  it('takes the dump while the pods are there, and waits for it', async () => {
    const it = cluster(three)
    let ended = false
    const alongside = async () => {
      it.log.push('dump')
      await new Promise((resolve) => setTimeout(resolve, 30))
      ended = true
    }
    await verify(it, three, { programs, level: 'full', alongside })
    expect(ended).toBe(true)
    expect(it.log.indexOf('dump')).toBeGreaterThan(it.log.indexOf('create'))
    expect(it.log.at(-1)).toBe('remove')
  })

  it.each<[string, Play, string[]]>([
    [
      'a kubelet that the API server does not reach',
      { kubelet: (node) => (node === 'w1' ? 'dial tcp 192.168.56.12:10250: i/o timeout' : 'ok') },
      ['kubelet/cp1/w1/tcp KUBELET_UNREACHABLE'],
    ],
    [
      'large packets that are lost',
      {
        line: (node, probe) =>
          node === 'w1' && / bigudp 10\.244\.2\.3 \d+ 0/.test(probe) ? 'fail 2000 timeout' : undefined,
      },
      ['large-packets/w1/w2/udp LARGE_PACKETS_LOST'],
    ],
    [
      'a tunnel with fragments',
      { line: (node, probe) => (node === 'w1' && / frag 10\.244\.2\.3/.test(probe) ? 'ok 9 1450 8 16 8' : undefined) },
      ['large-packets/w1/w2/udp OUTER_FRAGMENTED'],
    ],
    [
      'a pair of nodes without UDP: what follows from it is unknown',
      {
        line: (node, probe) =>
          node === 'w1' && / (udp|frag|bigudp) 10\.244\.2\.3/.test(probe) ? 'fail 2000 timeout' : undefined,
      },
      ['pod-to-pod/w1/w2/udp POD_UNREACHABLE', 'large-packets/w1/w2/udp'],
    ],
    [
      'UDP that stays with the endpoint that is gone, which cannot be tried again',
      {
        line: (node, probe, attempt) =>
          node === 'w2' && / move /.test(probe) && attempt === 1 ? 'fail 15000 kept 4 9' : undefined,
      },
      ['udp-endpoint-gone/w2/gone/udp UDP_ENDPOINT_KEPT'],
    ],
    [
      'DNS that is slow',
      {
        line: (node, probe) =>
          node === 'w2' && / search .*kubernetes/.test(probe) ? 'ok 5004 NOERROR 10.96.0.1' : undefined,
      },
      ['dns/w2/resolver/udp DNS_SLOW'],
    ],
    [
      'a node on which the port of the server is taken',
      { host: 'error server h-@ 21000: Address already in use' },
      ['cp1', 'w1', 'w2'].flatMap((from) => ['cp1', 'w1', 'w2'].map((to) => `pod-to-node/${from}/${to}/udp`)),
    ],
    [
      'something that works the second time',
      { line: (_, probe, attempt) => (attempt === 1 && !/ move /.test(probe) ? 'fail 2000 timeout' : undefined) },
      [],
    ],
  ])('names %s', async (_, play, expected) => {
    const report = await verify(cluster(three, play), three, { programs, level: 'full' })
    expect(bad(report.checks)).toEqual(expected)
  })

  it('gives DNS more time the second time: an answer that comes late is slow, and not none', async () => {
    const scripts: string[] = []
    const it = cluster(three, {
      line: (node, probe) =>
        node === 'w1' && / dnsudp 10\.244\.0\.10 53 probe/.test(probe) ? 'fail 2000 timeout' : undefined,
    })
    const nodes = new Map(
      [...it.nodes].map(([host, hands]) => [
        host,
        {
          ...hands,
          look: (script: string, options?: LookOptions) => {
            scripts.push(script)
            return hands.look(script, options)
          },
        },
      ]),
    )
    await verify({ ...it, nodes }, three, { programs, level: 'full' })
    const times = scripts.flatMap((script) =>
      [...script.matchAll(/'\d+(\S*) dnsudp 10\.244\.0\.10 53 probe/g)].map(([, own]) => own),
    )
    expect(times).toEqual(['', '', '', '/6'])
  })

  it.each([
    ['quick', 'HTTP/1.1 200 OK', 0],
    ['full', 'HTTP/1.1 200 OK', 2],
    ['full', 'HTTP/1.1 503 Service Unavailable', 2],
  ] as const)('at level %s tries an Ingress that says %s', async (level, answer, expected) => {
    const rows = 'ingress\tshop\tweb\t192.168.56.50,\tshop.test=/cart,=,\ningress\tshop\tlost\t\tlost.test=/,'
    const sent: string[] = []
    const outside: OutsideProbe = async (_address, port, { send }) => {
      if (port === 80) sent.push(send ?? '')
      return port === 80 ? { ok: true, line: answer } : { ok: false, reason: 'timeout' }
    }
    const report = await verify(cluster(three, { rows }), three, { programs, level, outside })
    const checks = report.checks.filter(({ scenario }) => scenario === 'ingress')
    expect(checks).toHaveLength(expected && 3)
    if (expected === 0) return
    expect(sent[0]).toMatch(/^GET \/cart HTTP\/1\.1\r\nHost: shop\.test\r\n/)
    expect(sent[1]).toMatch(/^GET \/ HTTP\/1\.1\r\nHost: 192\.168\.56\.50\r\n/)
    const code = answer.includes('503') ? ' INGRESS_FAILED' : ''
    expect(named(checks)).toEqual([
      `ingress/controller/shop/web/shop.test/tcp${code}`,
      `ingress/controller/shop/web/tcp${code}`,
      'ingress/controller/shop/lost/lost.test/tcp',
    ])
    expect(checks[2]).toMatchObject({ outcome: 'skipped', evidence: expect.stringContaining('no ingress controller') })
  })

  it('says that IPv6 is not looked at where pods have it', async () => {
    const rows = 'pod\tdefault\tx\tw1\tRunning\t\tTrue\t\t10.244.1.9\t\t\t10.244.1.9,fd00::9,'
    const report = await verify(cluster(three, { rows }), three, { programs })
    expect(report.checks.filter(({ outcome }) => outcome === 'skipped')).toEqual([
      expect.objectContaining({
        id: 'addresses/cluster/ipv6',
        evidence: expect.stringMatching(/^IPv6 is not tested.*fd00::9/),
      }),
    ])
    expect(report.ok).toBe(true)
  })

  it('does not stumble over 200 Services, of which one has no endpoints', async () => {
    const rows = Array.from({ length: 200 }, (_, i) => `service\tdefault\ts${i}\t10.97.0.${i}\t=,`).join('\n')
    const report = await verify(cluster(three, { rows }), three, { programs, level: 'full' })
    expect(bad(report.checks)).toEqual([])
  })

  it.each([1, 2])('%i nodes are enough', async (n) => {
    const inventory = inventoryOf(n)
    const report = await verify(cluster(inventory), inventory, { programs, level: 'full' })
    expect(report.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(report.ok).toBe(true)
  })

  it('a host that was not reached is unknown in every row of the full level', async () => {
    const it = cluster(three)
    const nodes = new Map([...it.nodes].filter(([host]) => host.name !== 'w2'))
    const report = await verify({ ...it, nodes }, three, { programs, level: 'full' })
    const failed = report.checks.filter(({ outcome }) => outcome === 'failed')
    expect(named(failed)).toEqual([])
    const rows = report.checks.filter(({ from, scenario }) => from === 'w2' && scenario !== 'addresses')
    expect(rows.length).toBeGreaterThan(20)
    expect(new Set(rows.map(({ outcome }) => outcome))).toEqual(new Set(['skipped']))
  })

  it('removes everything when it is interrupted amid the probes', async () => {
    const user = new AbortController()
    const it = cluster(three, { onClient: () => user.abort() })
    await expect(verify(it, three, { programs, level: 'full', signal: user.signal })).rejects.toMatchObject({
      exit: exits.interrupted,
    })
    expect(it.log.at(-1)).toBe('remove')
    expect(it.log.some((line) => line.startsWith('delete'))).toBe(false)
  })

  it('of 60 nodes tries the pairs of a ring and the suspicious ones, and says how many of how many', async () => {
    const many = inventoryOf(60)
    const report = await verify(cluster(many), many, { programs, suspicious: [['w1', 'w2']] })
    const tried = new Set(
      report.checks.filter(({ scenario }) => scenario === 'pod-to-pod').map(({ from, to }) => `${from} ${to}`),
    )
    expect(report.sampled).toEqual({ pairs: tried.size, of: 3600 })
    expect(tried.size).toBeGreaterThanOrEqual(540)
    expect(tried.size).toBeLessThanOrEqual(542)
    expect(tried.has('w1 w2') && tried.has('w2 w1')).toBe(true)
    expect(report.ok).toBe(true)
  })

  it('of three nodes tries only some pairs, too, where it is told to', async () => {
    const ten = inventoryOf(10)
    const report = await verify(cluster(ten), ten, { programs, level: 'full', allPairsUpTo: 9 })
    expect(report.sampled).toEqual({ pairs: 90, of: 100 })
    expect(bad(report.checks)).toEqual([])
  })
})
