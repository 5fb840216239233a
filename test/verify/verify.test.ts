import { describe, expect, it } from 'vitest'
import type { Reply } from '../../src/model/fact.ts'
import type { Host, Inventory } from '../../src/model/inventory.ts'
import type { Hands, LookOptions } from '../../src/model/ports.ts'
import { exits, Failure } from '../../src/model/trouble.ts'
import { noCluster } from '../../src/verify/pods.ts'
import { verify } from '../../src/verify/verify.ts'
import { verifyText } from '../../src/view/verify.ts'
import { inventoryOf, namespace as sample, stateOf } from './scene.ts'

const programs = { python: 'PYTHON', perl: 'PERL' }

/** How the hosts of a cluster answer: what verify makes of answers, not how they travel. */
interface Play {
  /** `fail 2000 timeout`, or nothing for what the probe wants. */
  readonly line?: (node: string, probe: string, attempt: number) => string | undefined
  readonly kubectl?: { out?: string; err: string; code: number }
  /** Nodes whose servers do not come up, with the line that they say. */
  readonly silent?: Readonly<Record<string, string>>
  /** Nodes on which the client exec breaks off. */
  readonly cut?: readonly string[]
  readonly onServers?: () => void
  /** The node whose ip_forward is 0 before the probe pods come. */
  readonly forwardOff?: string
}

function cluster(inventory: Inventory, play: Play) {
  const changes: string[] = []
  const asked = new Map<string, number>()
  const leader = inventory.hosts[0] as Host
  const live = new Set<string>()
  const on = (host: Host): Hands => {
    const run = async (script: string, options: LookOptions = {}): Promise<Reply> => {
      const say = options.onLine ?? (() => {})
      if (script.startsWith('cat ')) return { out: play.forwardOff === host.name ? '0\n' : '1\n', err: '', code: 0 }
      if (script.includes('pid_of()')) {
        play.onServers?.()
        if (script.startsWith('echo 0 >/proc/sys/net/ipv4/ip_forward'))
          changes.push(`forward off again on ${host.name}`)
        const trouble = play.silent?.[host.name]
        if (trouble !== undefined) {
          if (trouble) say(`error ${trouble}`)
          return { out: '', err: '', code: 0 }
        }
        for (const place of [`a-${host.name}/one`, `a-${host.name}/two`, `b-${host.name}/one`])
          say(`pid ${place} 77 net:[${place.slice(0, 1)}]`)
        say(`ready a-${host.name}`)
        say(`ready b-${host.name}`)
        live.add(host.name)
        return new Promise((_, reject) => {
          const end = () => {
            live.delete(host.name)
            reject(new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'stopped' }))
          }
          if (options.signal?.aborted) end()
          options.signal?.addEventListener('abort', end)
        })
      }
      if (play.cut?.includes(host.name))
        throw new Failure(exits.someHosts, { code: 'CONNECTION_LOST', message: 'the link broke' })
      for (const match of script.matchAll(/'(\d+ (?:tcp|udp|icmp|svc|dns|http)[^']*)'/g)) {
        const probe = match[1] as string
        const attempt = (asked.get(probe) ?? 0) + 1
        asked.set(probe, attempt)
        say(`r ${probe.split(' ')[0]} ${play.line?.(host.name, probe, attempt) ?? good(inventory, host, probe)}`)
      }
      return { out: '', err: '', code: 0 }
    }
    const never = () => Promise.reject(new Error('verify does not ask for it'))
    return { host, look: run, change: run, send: never, run: never, again: never, close: () => {} }
  }
  const hands: Hands = {
    ...on(leader),
    change: async (script, options) => {
      if (options?.signal?.aborted) throw new Failure(exits.interrupted, { code: 'INTERRUPTED', message: 'aborted' })
      changes.push(script.includes('kubectl create') ? 'create' : 'remove')
      if (script.includes('kubectl create')) {
        const namespace = /kubectl -n (\S+) wait/.exec(script)?.[1] ?? ''
        return { out: stateText(inventory, namespace), err: '', code: 0, ...play.kubectl }
      }
      return { out: '', err: '', code: 0 }
    },
  }
  return { leader: hands, nodes: new Map(inventory.hosts.map((host) => [host, on(host)])), changes, live }
}

/** What a healthy network answers. */
function good(inventory: Inventory, host: Host, probe: string): string {
  const [, kind = '', ip = '', , arg = ''] = probe.split(' ')
  const i = inventory.hosts.indexOf(host)
  const all = inventory.hosts.map(({ name }) => `b-${name}`).sort()
  const [, , third, fourth] = ip.split('.')
  const name =
    ip === '127.0.0.1' ? `a-${host.name}` : `${fourth === '2' ? 'a' : 'b'}-${inventory.hosts[Number(third)]?.name}`
  if (kind === 'icmp') return `ok 1 ${ip}`
  if (kind === 'http') return 'ok 1 HTTP/1.0 400 Bad Request'
  if (kind.startsWith('svc')) return `ok 1 ${all.join(',')}`
  if (kind.startsWith('dns')) return `ok 1 NOERROR ${arg.startsWith('kubernetes.') ? '10.96.0.1' : '10.99.1.2'}`
  return `ok 1 ${name} ${ip === '127.0.0.1' ? ip : `10.244.${i}.2`}`
}

/** The state as kubectl prints it. */
function stateText(inventory: Inventory, namespace: string): string {
  const { nodes, pods, services } = stateOf(inventory)
  const ports = (map: ReadonlyMap<string, number | string>) => [...map].map(([key, port]) => `${key}=${port},`).join('')
  const own = (name: string) => (name === sample ? namespace : name)
  return [
    ...nodes.map((it) => ['node', it.name, it.podCIDR, `${it.internalIP},`, 'True', 'KubeletReady "ok"']),
    ...pods.map((it) => [
      'pod',
      own(it.namespace),
      it.name,
      it.node,
      it.phase,
      '',
      'True',
      '',
      it.ip,
      it.app,
      ports(it.containers),
    ]),
    ...services.map((it) => ['service', own(it.namespace), it.name, it.clusterIP, ports(it.nodePorts)]),
  ]
    .map((row) => row.join('\t'))
    .join('\n')
}

const three = inventoryOf(3)
const named = (checks: readonly { id: string; code?: string }[]) =>
  checks.map(({ id, code }) => (code ? `${id} ${code}` : id))

describe('verify', () => {
  it('passes on a healthy cluster, and leaves no pod and no server', async () => {
    const it = cluster(three, {})
    const report = await verify(it, three, { programs })
    expect(named(report.checks.filter(({ outcome }) => outcome !== 'passed'))).toEqual([])
    expect(report.ok).toBe(true)
    expect(report.checks).toHaveLength(3 + 6 + 27 + 6 + 18 + 6 + 18 + 12 + 18)
    expect(it.changes).toEqual(['create', 'remove'])
    expect(it.live.size).toBe(0)
  })

  it('tries a failed path once more: one that works then has passed', async () => {
    const it = cluster(three, { line: (_, __, attempt) => (attempt === 1 ? 'fail 2000 timeout' : undefined) })
    expect((await verify(it, three, { programs })).ok).toBe(true)
  })

  it('names the failed pairs and only those', async () => {
    const lost = (node: string, probe: string) =>
      node === 'w1' && / 10\.244\.2\.3/.test(probe) ? 'fail 2000 timeout' : undefined
    const report = await verify(cluster(three, { line: lost }), three, { programs })
    expect(report.ok).toBe(false)
    expect(named(report.checks.filter(({ outcome }) => outcome !== 'passed'))).toEqual([
      'pod-to-pod/w1/w2/tcp POD_UNREACHABLE',
      'pod-to-pod/w1/w2/udp POD_UNREACHABLE',
      'pod-to-pod/w1/w2/icmp POD_UNREACHABLE',
      'node-to-pod/w1/b-w2/tcp NODE_TO_POD_FAILED',
    ])
  })

  it.each<[string, (it: ReturnType<typeof cluster>) => object, Play, string]>([
    [
      'has no interpreter',
      (it) => it,
      { silent: { w2: 'neither python3 nor perl works on this host' } },
      'PROBE_FAILED',
    ],
    ['loses its link on the way', (it) => it, { cut: ['w2'] }, 'CONNECTION_LOST'],
  ])('a node that %s is one failure; what it hides is unknown and the rest is proven', async (_, shape, play, code) => {
    const it = shape(cluster(three, play)) as ReturnType<typeof cluster>
    const report = await verify(it, three, { programs })
    expect(report.ok).toBe(false)
    const failed = report.checks.filter(({ outcome }) => outcome === 'failed')
    expect(named(failed.filter(({ id }) => id.endsWith('/probes')))).toEqual([`addresses/w2/probes ${code}`])
    const of = (id: string) => report.checks.find((check) => check.id === id)?.outcome
    expect(of('pod-to-pod/w2/cp1/tcp')).toBe('skipped')
    expect(of('pod-to-pod/cp1/w2/udp')).toBe('skipped')
    expect(of('pod-to-pod/cp1/w1/tcp')).toBe('passed')
    expect(of('containers/w2/network-namespace')).toBe('skipped')
    expect(it.changes).toEqual(['create', 'remove'])
  })

  it('a node that answers no SSH is unknown: neither failed nor passed', async () => {
    const it = cluster(three, {})
    const nodes = new Map([...it.nodes].filter(([host]) => host.name !== 'w2'))
    const report = await verify({ ...it, nodes }, three, { programs })
    expect(report.ok).toBe(true)
    const outcomes = (wanted: string) =>
      report.checks.filter(({ id, outcome }) => id.includes('w2') && outcome === wanted).map(({ id }) => id)
    expect(outcomes('failed')).toEqual([])
    expect(outcomes('skipped')).toContain('addresses/w2/probes')
    expect(outcomes('skipped')).toContain('pod-to-pod/w2/cp1/tcp')
  })

  it('finds a node that did not forward, and proves the network as it was before the pods changed that', async () => {
    const it = cluster(three, { forwardOff: 'w1' })
    const report = await verify(it, three, { programs })
    expect(named(report.checks.filter(({ outcome }) => outcome !== 'passed'))).toEqual([
      'addresses/w1/ip-forward IP_FORWARD_OFF',
    ])
    expect(it.changes).toEqual(['create', 'forward off again on w1', 'remove'])
  })

  it('an API server that does not answer is a report too', async () => {
    const down = { err: 'The connection to the server 192.168.56.11:6443 was refused', code: 1 }
    const it = cluster(three, { kubectl: down })
    const report = await verify(it, three, { programs })
    expect(named(report.checks)).toEqual(['api/controller/cp1 APISERVER_UNREACHABLE'])
    expect(report.checks[0]?.evidence).toContain('192.168.56.11:6443 was refused')
    expect(report.ok).toBe(false)
    expect(it.changes).toEqual(['create', 'remove'])
  })

  it('a host that no cluster knows is refused, and told how to make one', async () => {
    const it = cluster(three, { kubectl: { err: '', code: noCluster } })
    await expect(verify(it, three, { programs })).rejects.toMatchObject({
      exit: 2,
      troubles: [{ code: 'NO_CLUSTER', where: 'cp1', fix: 'k8snet up INVENTORY' }],
    })
  })

  it('removes its pods when it is interrupted', async () => {
    const user = new AbortController()
    const it = cluster(three, { onServers: () => user.abort() })
    await expect(verify(it, three, { programs, signal: user.signal })).rejects.toMatchObject({
      exit: exits.interrupted,
    })
    expect(it.changes).toEqual(['create', 'remove'])
    expect(it.live.size).toBe(0)
  })

  it.each([
    [['dns'], (id: string) => id.startsWith('dns/')],
    [['w1'], (id: string) => /\/(a-|b-)?w1(\/|$)/.test(id)],
    [['pod-to-pod', 'w2'], (id: string) => id.startsWith('pod-to-pod/') && id.includes('w2')],
  ])('keeps to %j', async (only, fits) => {
    const all = await verify(cluster(three, {}), three, { programs })
    const some = await verify(cluster(three, {}), three, { programs, only: new Set(only) })
    expect(named(some.checks)).toEqual(named(all.checks.filter(({ id }) => fits(id))))
    expect(some.checks.length).toBeGreaterThan(3)
  })

  it.each<[string, (name: string) => string | null, string[]]>([
    ['every endpoint answers', (name) => name, []],
    [
      'one is missed',
      (name) => (name === 'b-w2' ? 'b-w1' : name),
      ['cp1', 'w1', 'w2'].map((node) => `outside-to-service/controller/${node}/tcp SERVICE_ENDPOINT_MISSED`),
    ],
    [
      'none answers',
      () => null,
      ['cp1', 'w1', 'w2'].map((node) => `outside-to-service/controller/${node}/tcp NODEPORT_UNREACHABLE`),
    ],
  ])('from the controller, when %s', async (_, answer, expected) => {
    let turn = 0
    const outside = async (_ip: string, port: number) => {
      if (port === 10250) return { ok: true as const, line: '' }
      const line = answer(`b-${three.hosts[turn++ % 3]?.name}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
      return line ? { ok: true as const, line: `${line} 10.0.0.1` } : { ok: false as const, reason: 'timeout' }
    }
    const report = await verify(cluster(three, {}), three, { programs, outside })
    expect(named(report.checks.filter(({ outcome }) => outcome === 'failed'))).toEqual(expected)
    expect(report.checks.filter(({ from }) => from === 'controller')).toHaveLength(3)
  })
})

describe('the report as text', () => {
  it('shows the matrix, the pairs by code, evidence and fix', async () => {
    const lost = (node: string, probe: string) =>
      node === 'w1' && /udp 10\.244\.2\.3/.test(probe) ? 'fail 2000 timeout' : undefined
    const report = await verify(cluster(three, { line: lost }), three, { programs, only: new Set(['pod-to-pod']) })
    expect(verifyText({ ...report, ms: 3210 }, { color: false })).toBe(
      [
        'pod to pod, without NAT  26 of 27',
        '       cp1  w1  w2',
        '  cp1  ok   ok  ok',
        '  w1   ok   ok  FAIL udp',
        '  w2   ok   ok  ok',
        '',
        'POD_UNREACHABLE  1 check failed',
        '  w1 -> w2 udp  (pod-to-pod)',
        '  evidence: udp 10.244.1.2 -> 10.244.2.3:18420: timeout (2000 ms)',
        `  fix: ${report.checks.find(({ fix }) => fix)?.fix}`,
        '',
        'network NOT ok: 26 passed, 1 failed, 0 skipped in 3.2 s',
        '',
      ].join('\n'),
    )
  })

  it('says what is unknown and why, once per reason', async () => {
    const it = cluster(three, { silent: { w2: 'no nsenter' } })
    const text = verifyText(await verify(it, three, { programs }), { color: false })
    expect(text).toMatch(/^unknown {2}\d+ checks not made: w2: no nsenter$/m)
    expect(text).toMatch(/^PROBE_FAILED {2}1 check failed$/m)
  })

  it('has colours only where they are wanted', async () => {
    const report = await verify(cluster(three, {}), three, { programs })
    expect(verifyText(report, { color: false })).not.toContain('\u001b')
    expect(verifyText(report, { color: true })).toContain('\u001b[32mok\u001b[39m')
  })

  it('of a large cluster shows only the rows that are not all ok', async () => {
    const big = inventoryOf(20)
    const lost = (node: string, probe: string) =>
      node === 'w7' && /icmp 10\.244\.9\.3/.test(probe) ? 'fail 2000 timeout' : undefined
    const report = await verify(cluster(big, { line: lost }), big, { programs, only: new Set(['pod-to-pod']) })
    const rows = verifyText(report, { color: false })
      .split('\n')
      .filter((line) => /^ {2}(cp1|w\d+) /.test(line))
    expect(rows.map((row) => row.trim().split(' ')[0])).toEqual(['w7', 'w7'])
  })
})
