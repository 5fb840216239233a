import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { KubeApi, KubePod } from '../../src/model/kube.ts'
import { exits, Failure } from '../../src/model/trouble.ts'
import { rowOf } from '../../src/verify/by-api/answers.ts'
import { kubeletChecks, namespaceChecks, withoutLevel } from '../../src/verify/by-api/checks.ts'
import { listsOf, resultsOf } from '../../src/verify/by-api/lists.ts'
import { daemonSet, frame, listMaps, type PodPrograms, programNames } from '../../src/verify/by-api/manifests.ts'
import { makeFrame, removeAll, startPods } from '../../src/verify/by-api/pods.ts'
import type { Case } from '../../src/verify/case.ts'
import { freePort } from '../helpers/ports.ts'

const program = (name: string) => readFileSync(`templates/${name}`, 'utf8')
const programs = Object.fromEntries(programNames.map((name) => [name, program(name)])) as PodPrograms

/** An API server of which only what these functions ask for is there; it notes what it is asked for. */
function api(answers: { list?: (path: string) => unknown[]; text?: (path: string) => string } = {}) {
  const calls: string[] = []
  const it: KubeApi = {
    server: 'https://192.0.2.1:6443',
    find: async () => undefined,
    list: async <T>(path: string) => (answers.list?.(path) ?? []) as T[],
    text: async (path) => answers.text?.(path) ?? '',
    create: async (path) => void calls.push(`create ${path}`),
    remove: async (path) => void calls.push(`remove ${path}`),
  }
  return { it, calls }
}

const probe = (id: number, ip: string) => ({
  id,
  kind: 'tcp' as const,
  ip,
  port: 1,
  expect: { what: 'answer' as const },
})
const item = (node: string, probes: Case['probes'], more: Partial<Case> = {}): Case => ({
  id: `${node} ${probes.map(({ ip }) => ip)}`,
  scenario: 'pod-to-pod',
  from: node,
  to: 'x',
  node,
  place: 'a',
  probes,
  ...more,
})

describe('the lists of probes', () => {
  const nodes = Array.from({ length: 50 }, (_, i) => `n${i}`)
  const all = nodes.flatMap((node, i) => nodes.map((_, j) => item(node, [probe(50 * i + j, `10.244.${j}.2`)])))

  it('grow with the nodes, though the pairs grow with their square', () => {
    expect(all.length).toBe(2500)
    expect(listsOf(all).lines.get('a')?.length).toBe(50)
    expect(listsOf(all).lines.get('a')?.[0]).toBe('* 1 tcp 10.244.0.2 1')
  })

  it('name the node of what only one is to ask, and leave out what cannot be asked', () => {
    const some = [
      item('w1', [probe(1, '10.0.0.1'), probe(2, '10.0.0.2')]),
      item('w2', [probe(3, '10.0.0.1')]),
      item('w2', [probe(4, '10.0.0.9')], { skip: 'no' }),
      item('w2', [probe(5, '10.0.0.1')], { place: 'host' }),
    ]
    const { lines } = listsOf(some)
    expect(lines.get('a')).toEqual(['* 1 tcp 10.0.0.1 1', 'w1 2 tcp 10.0.0.2 1'])
    expect(lines.get('host')).toEqual(['w2 3 tcp 10.0.0.1 1'])
  })

  it('give each pair the answer of its own node', () => {
    const lists = listsOf(all)
    const answers = new Map(
      nodes.map((node) => [`a ${node}`, new Map([[3, { id: 3, ok: node === 'n7', ms: 1, text: node }]])] as const),
    )
    const results = resultsOf(all, lists, answers)
    expect(results.size).toBe(50)
    expect(results.get(50 * 7 + 2)).toEqual({ id: 352, ok: true, ms: 1, text: 'n7' })
    expect(results.get(50 * 8 + 2)?.ok).toBe(false)
  })

  it('fit into ConfigMaps, however many they are', () => {
    const lines = Array.from({ length: 60_000 }, (_, i) => `node-with-a-long-name-${i} ${i} tcp 10.244.1.5 18420`)
    const maps = listMaps(lines)
    expect(maps.length).toBeGreaterThan(2)
    for (const { object } of maps) expect(JSON.stringify(object).length).toBeLessThan(1_048_576)
    const texts = maps.flatMap(({ object }) => Object.values((object as { data: Record<string, string> }).data))
    expect(texts.join('').trimEnd().split('\n')).toEqual(lines)
  })
})

describe('the probe pods', () => {
  it('run on every Linux node, whatever its taints, and take only the image that was named', () => {
    for (const kind of ['a', 'b', 'host'] as const) {
      const { spec } = (daemonSet(kind, 'mirror.example/agnhost:1', []) as { spec: { template: { spec: never } } }).spec
        .template as unknown as { spec: Record<string, unknown> }
      expect(spec.tolerations).toEqual([{ operator: 'Exists' }])
      expect(spec.hostNetwork).toBe(kind === 'host' ? true : undefined)
      expect((spec.containers as { image: string }[]).map(({ image }) => image)).toEqual(
        kind === 'a' ? ['mirror.example/agnhost:1', 'mirror.example/agnhost:1'] : ['mirror.example/agnhost:1'],
      )
    }
  })

  it('come after the leftovers of killed runs are gone, and of nothing else', async () => {
    const now = new Date()
    const ago = (seconds: number) => String(Math.floor(now.getTime() / 1000 - seconds))
    const namespace = (name: string, made: string) => ({ metadata: { name, labels: { 'k8snet.dev/verify': made } } })
    const { it, calls } = api({
      list: () => [
        namespace('k8snet-verify-old', ago(3600)),
        namespace('k8snet-verify-new', ago(30)),
        namespace('mine', ago(3600)),
      ],
    })
    await makeFrame(it, 'k8snet-verify-now', programs, now)
    expect(calls.filter((call) => call.startsWith('remove'))).toEqual([
      'remove /apis/apps/v1/namespaces/k8snet-verify-old/daemonsets',
      'remove /api/v1/namespaces/k8snet-verify-old/pods',
      'remove /api/v1/namespaces/k8snet-verify-old',
    ])
    expect(calls.filter((call) => call.startsWith('create')).length).toBe(frame('x', programs, now).length)
  })

  it('are removed as far as that is possible, and a failure of it hides nothing', async () => {
    const { it: well, calls } = api()
    const broken: KubeApi = {
      ...well,
      remove: async (path) => {
        calls.push(path)
        throw new Failure(exits.unreachable, { code: 'API_UNREACHABLE', message: 'gone' })
      },
    }
    await removeAll(broken, 'x')
    expect(calls.length).toBe(3)
  })

  it('that cannot be pulled are told of in the words of the kubelet, once all others run', async () => {
    const pod = (node: string, state: object): KubePod => ({
      metadata: { name: `b-${node}` },
      spec: { nodeName: node },
      status: { podIP: '10.244.0.9', phase: 'Pending', containerStatuses: [{ name: 'one', state }] },
    })
    const { it } = api({
      list: () => [
        pod('w1', { running: {} }),
        pod('w2', { waiting: { reason: 'ErrImagePull', message: 'no such image' } }),
      ],
    })
    const making = { namespace: 'x', image: 'i', startMs: 1000 }
    const { pods, faults } = await startPods(it, 'b', ['w1', 'w2', 'w3'], [], making)
    expect([...pods.keys()]).toEqual(['w1'])
    expect(faults.get('w2')?.evidence).toContain('ErrImagePull: no such image')
    expect(faults.get('w3')?.evidence).toContain('something keeps pods from being made')
  })
})

describe('the row of a node', () => {
  const pod: KubePod = { metadata: { name: 'a-x', namespace: 'n' } }
  const soon = () => performance.now() + 200_000

  it('is what its client wrote, and what was tried again counts as it was then', async () => {
    const logs = ['net net:[1]\nr 1 ok 3 b-w1 10.0.0.1\nr 2 fail 2000 timeout\n']
    logs.push(`${logs[0]}end 2\nr 2 ok 5 b-w2 10.0.0.1\nend 1\ndone\n`)
    const row = await rowOf(api({ text: () => logs.shift() ?? '' }).it, pod, 'two', soon())
    expect(row.fault).toBeUndefined()
    expect(row.network).toBe('net:[1]')
    expect([...row.results.values()].map(({ ok }) => ok)).toEqual([true, true])
  })

  it('is unknown where its image has no program, where it does not end, and where the kubelet cannot be asked', async () => {
    const none = await rowOf(api({ text: () => 'net x\nerror the image has nothing\n' }).it, pod, 'two', soon())
    const endless = await rowOf(api({ text: () => 'r 1 ok 1 x\n' }).it, pod, 'two', performance.now())
    const refused = api({
      text: () => {
        throw new Failure(exits.refused, { code: 'API_UNREACHABLE', message: 'dial tcp 10.0.0.2:10250: refused' })
      },
    })
    const unread = await rowOf(refused.it, pod, 'two', performance.now())
    expect(none.fault?.evidence).toBe('the image has nothing')
    expect(endless.fault?.evidence).toContain('did not end')
    expect(unread).toMatchObject({ read: false, fault: { evidence: 'dial tcp 10.0.0.2:10250: refused' } })
    const rows = new Map([
      ['w1', endless],
      ['w2', unread],
    ])
    expect(kubeletChecks('cp1', ['w1', 'w2', 'w3'], rows).map(({ id, outcome, code }) => [id, outcome, code])).toEqual([
      ['kubelet/cp1/w1/tcp', 'passed', undefined],
      ['kubelet/cp1/w2/tcp', 'failed', 'KUBELET_UNREACHABLE'],
    ])
  })

  it('is no fault of the kubelet where the user may not read logs', async () => {
    const forbidden = api({
      text: () => {
        throw new Failure(exits.refused, { code: 'API_FORBIDDEN', message: 'the user may not get pods/log' })
      },
    })
    await expect(rowOf(forbidden.it, pod, 'two', soon())).rejects.toThrow(/pods\/log/)
  })

  it('shows whether its containers share a network', () => {
    const row = (network: string) => ({ results: new Map(), network, read: true })
    const rows = new Map([
      ['w1', row('net:[1]')],
      ['w2', row('net:[2]')],
    ])
    const first = new Map([
      ['w1', 'net:[1]'],
      ['w2', 'net:[9]'],
    ])
    expect(namespaceChecks(['w1', 'w2', 'w3'], first, rows).map(({ outcome }) => outcome)).toEqual([
      'passed',
      'failed',
      'skipped',
    ])
  })
})

describe('what takes SSH', () => {
  it('is said of the full level, scenario by scenario', () => {
    expect(withoutLevel('quick')).toEqual([])
    const skipped = withoutLevel('full')
    expect(skipped.length).toBeGreaterThan(10)
    for (const check of skipped)
      expect(check).toMatchObject({ outcome: 'skipped', evidence: expect.stringContaining('SSH') })
  })
})

describe('the programs of the probe pods', () => {
  it.each([
    ['probe-pod.sh', 'sh'],
    ['probe-agnhost.bash', 'bash'],
  ])('%s pass shellcheck', (name, shell) => {
    const { stdout, status } = spawnSync('shellcheck', ['-s', shell, `templates/${name}`], { encoding: 'utf8' })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })

  it('where a server answers only the second of two questions, the probe of agnhost has failed', async () => {
    const answers: Record<string, string> = { '/clientip': '127.0.0.1:4711' }
    const server = createServer(({ url = '', socket }, response) => {
      const said = answers[url]
      if (said === undefined) socket.destroy()
      else response.end(said)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const said = async () => {
      const client = spawn('bash', ['templates/probe-agnhost.bash', '20'], { stdio: ['pipe', 'pipe', 'inherit'] })
      client.stdin.end(`1 tcp 127.0.0.1 ${port}\n`)
      return (await text(client.stdout)).split('\n')[0]?.replace(/^r 1 (\w+) \d+ /, '$1 ')
    }
    expect(await said()).toBe('fail closed')
    answers['/hostname'] = 'one'
    expect(await said()).toBe('ok one 127.0.0.1')
    server.close()
  })

  it('a probe that failed is made once more when the server of its own pod is there, which may come late', async () => {
    const port = await freePort()
    const dir = mkdtempSync(join(tmpdir(), 'k8snet-probe-pod-'))
    writeFileSync(join(dir, 'list-0'), `n1 1 tcp 127.0.0.1 ${port}\nn2 2 tcp 127.0.0.1 1\n`)
    const script = program('probe-pod.sh').replace('/k8snet/programs', 'templates').replace('/k8snet/lists', dir)
    const pod = (...args: string[]) =>
      spawn('sh', ['-c', script, 'sh', ...args], {
        env: { ...process.env, K8SNET_NODE: 'n1', K8SNET_POD: 'a-n1' },
        stdio: ['ignore', 'pipe', 'inherit'],
        detached: true,
      })
    const client = pod('client', '1', '2', String(port))
    let server: Promise<ReturnType<typeof pod>> | undefined
    let said = ''
    for await (const chunk of client.stdout) {
      said += chunk
      if (/^r 1 fail /m.test(said)) server ??= setTimeout(2500).then(() => pod('server', String(port)))
      if (/^done$/m.test(said)) break
    }
    for (const it of [client, await server]) if (it?.pid) process.kill(-it.pid)
    rmSync(dir, { recursive: true })
    const lines = said.split('\n').map((line) => line.replace(/^(r \d+ \w+) \d+ /, '$1 '))
    expect(lines.slice(1)).toEqual(['r 1 fail refused', 'end 1', 'r 1 ok a-n1 127.0.0.1', 'end 1', 'done', ''])
  })
})
