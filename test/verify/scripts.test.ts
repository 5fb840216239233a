import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { deletePod } from '../../src/verify/endpoint-gone.ts'
import { clientScript, serverScript } from '../../src/verify/host-script.ts'
import { askKubelets } from '../../src/verify/kubelet.ts'
import { createPods, pauseImage, removePods } from '../../src/verify/pods.ts'
import { template } from './netns.ts'

const programs = {
  python: readFileSync(template('probe.py'), 'utf8'),
  perl: readFileSync(template('probe.pl'), 'utf8'),
}
const broken = { python: 'raise SystemExit(1)', perl: 'exit 1' }
const probe = { id: 1, kind: 'tcp', ip: '127.0.0.1', port: 1, expect: { what: 'answer' } } as const
const scripts = {
  'creates the pods': createPods('k8snet-verify-1', ['cp1', 'w1'], 'registry.k8s.io/pause:3.10.2'),
  'creates the pods of the full level': createPods('k8snet-verify-1', ['cp1', 'w1', 'w2'], 'pause:3', 'cluster.local'),
  'removes the pods': removePods('k8snet-verify-1'),
  'finds the pause image': pauseImage,
  'runs the servers': serverScript(programs, [{ name: 'a-w1', containers: new Map([['one', 'abc']]) }], 18420, 90),
  'runs the servers of the full level': serverScript(
    programs,
    [{ name: 'a-w1', containers: new Map([['one', 'abc']]) }],
    18420,
    90,
    { name: 'h-w1', port: 20500, ip: '192.168.56.12' },
  ),
  'asks the kubelets': askKubelets('k8snet-verify-1', [{ name: 'cp1', pod: 'a-cp1' }, { name: "o'dd" }]),
  'deletes an endpoint': deletePod('k8snet-verify-1', 'u-cp1'),
  'runs the clients': clientScript(programs, [{ place: { pid: 4711 }, probes: [probe] }], 2),
}
const framed = (script: string) => `( :\n${script}\n) </dev/null\n`
const run = (script: string, env: Record<string, string> = {}) =>
  spawnSync('/bin/sh', ['-s'], {
    input: framed(script),
    encoding: 'utf8',
    timeout: 200_000,
    env: { ...process.env, ...env },
  })

describe('the shell that', () => {
  it.each(Object.entries(scripts))('%s is clean POSIX sh', (_, script) => {
    const { status, stdout } = spawnSync('shellcheck', ['-s', 'sh', '-e', 'SC2016', '-'], {
      input: framed(script),
      encoding: 'utf8',
    })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })

  it.each(['dash', 'bash'])('runs the programs whole under %s, quotes and all', (shell) => {
    const script = clientScript(programs, [{ place: 'host', probes: [probe, { ...probe, id: 2, kind: 'udp' }] }], 20)
    const { stdout, stderr } = spawnSync(shell, ['-s'], { input: framed(script), encoding: 'utf8', timeout: 200_000 })
    expect(stderr).toBe('')
    expect(
      stdout
        .replaceAll(/fail \d+/g, 'fail')
        .split('\n')
        .sort(),
    ).toEqual(['', 'end 2', 'r 1 fail refused', 'r 2 fail refused'])
  })

  it('runs the servers finds a process by its container id in the cgroup', async () => {
    const id = randomBytes(32).toString('hex')
    const group = `${existsSync('/sys/fs/cgroup/pids') ? '/sys/fs/cgroup/pids' : '/sys/fs/cgroup'}/cri-containerd-${id}.scope`
    const child = spawn('sleep', ['60'])
    const ended = once(child, 'exit')
    mkdirSync(group)
    try {
      writeFileSync(`${group}/cgroup.procs`, `${child.pid}`)
      const ids = { one: id, two: 'f00dfeed00' }
      const pods = [{ name: 'a-w1', containers: new Map(Object.entries(ids)) }]
      const { stdout } = run(serverScript(broken, pods, 18420, 1))
      expect(stdout).toContain(`pid a-w1/one ${child.pid} ${readlinkSync(`/proc/${child.pid}/ns/net`)}\n`)
      expect(stdout).toContain('error a-w1/two: no process of container f00dfeed00\n')
    } finally {
      child.kill('SIGKILL')
      await ended
      rmdirSync(group)
    }
  })

  it('runs the clients takes perl where python is absent or too old', () => {
    const old = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim()
    execFileSync('sh', ['-c', `printf '#!/bin/sh\\nexit 1\\n' > ${old}/python3; chmod +x ${old}/python3`])
    const script = clientScript({ ...programs, python: broken.python }, [{ place: 'host', probes: [probe] }], 20)
    const { stdout } = run(script, { PATH: `${old}:/usr/bin:/bin` })
    execFileSync('rm', ['-r', old])
    expect(stdout).toMatch(/^r 1 fail \d+ refused\nend 1\n$/)
  })

  it('runs the clients says so where there is neither', () => {
    const { stdout } = run(clientScript(programs, [{ place: 'host', probes: [probe] }], 1), { PATH: '/nonexistent' })
    expect(stdout).toBe('error neither python3 nor perl works on this host\n')
  })
})

describe('the probe pods', () => {
  /** What would be given to `kubectl create`, with a kubectl that says only cp1 is Ready. */
  const objects = (script = scripts['creates the pods'], ready = 'cp1 other') => {
    const kubectl = `kubectl() { case "$1 $2 $*" in 'get nodes '*) echo ${ready} ;; 'create '*) cat >&2 ;; esac; }\n`
    return run(kubectl + script)
      .stderr.split('---\n')
      .filter((text) => text.trim() !== '')
      .map((text) => JSON.parse(text))
  }

  it('are made on the nodes that are both wanted and Ready', () => {
    expect(objects().map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Namespace k8snet-verify-1',
      'ServiceAccount probe',
      'Service probe',
      'Pod a-cp1',
      'Pod b-cp1',
    ])
  })

  it.each([
    ['cp1 w1 w2', 'u-cp1 v-w1 p-w2'],
    ['w2', 'u-w2 v-w2 p-w2'],
    ['w1 other w2', 'u-w1 v-w2 p-w2'],
    ['other', ''],
  ])('of the full level, with %s Ready, have %s besides', (ready, expected) => {
    const all = objects(scripts['creates the pods of the full level'], ready)
    const pods = all.filter(({ kind }) => kind === 'Pod')
    const names = pods.map(({ metadata }) => metadata.name)
    expect(names.filter((name) => /^[uvp]-/.test(name)).join(' ')).toBe(expected)
    const turns = pods
      .filter(({ metadata }) => metadata.labels.probe === 'b')
      .map(({ metadata }) => metadata.labels.turn)
    expect(turns).toEqual(turns.map((_, i) => (i === 0 ? 'first' : 'other')))
    for (const { metadata, spec } of pods) expect(metadata.name.slice(2)).toBe(spec.nodeName)
  })

  it('of the full level stand behind Services of every kind, and none of them opens a port that is another run’s', () => {
    const of = (namespace: string) => objects(createPods(namespace, ['cp1', 'w1'], 'pause:3', 'corp.example'), 'cp1 w1')
    const all = of('k8snet-verify-00000001')
    const specs = Object.fromEntries(
      all.filter(({ kind }) => kind === 'Service').map(({ metadata, spec }) => [metadata.name, spec]),
    )
    expect(specs).toMatchObject({
      probe: { type: 'NodePort', selector: { probe: 'b' } },
      local: { internalTrafficPolicy: 'Local', selector: { probe: 'b' } },
      affinity: { sessionAffinity: 'ClientIP' },
      edge: { type: 'NodePort', externalTrafficPolicy: 'Local', selector: { probe: 'b', turn: 'first' } },
      one: { type: 'NodePort', selector: { probe: 'b', turn: 'first' } },
      headless: { clusterIP: 'None' },
      elsewhere: { type: 'ExternalName', externalName: 'kubernetes.default.svc.corp.example' },
      gone: { selector: { probe: 'u' } },
    })
    expect(all.find(({ kind }) => kind === 'NetworkPolicy').spec).toEqual({
      podSelector: { matchLabels: { probe: 'p' } },
      policyTypes: ['Ingress'],
    })
    const ports = (objects: { spec?: { containers?: { ports?: { hostPort: number }[] }[] } }[]) => [
      ...new Set(objects.flatMap(({ spec }) => spec?.containers?.[0]?.ports?.map(({ hostPort }) => hostPort) ?? [])),
    ]
    expect(ports(all)).toHaveLength(1)
    expect(ports(of('k8snet-verify-00000002'))).not.toEqual(ports(all))
  })

  it('pull nothing, go past scheduler and taints, and end at once', () => {
    const [a] = objects().filter(({ kind }) => kind === 'Pod')
    expect(a.spec).toMatchObject({
      nodeName: 'cp1',
      tolerations: [{ operator: 'Exists' }],
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      containers: ['one', 'two'].map((name) => ({
        name,
        image: 'registry.k8s.io/pause:3.10.2',
        imagePullPolicy: 'Never',
      })),
    })
  })

  it('carry in their namespace when they were made, for the next run to clear what was left', () => {
    const before = Math.floor(Date.now() / 1000)
    const [namespace] = objects()
    const made = Number(namespace.metadata.labels['k8snet.dev/verify'])
    expect(made).toBeGreaterThanOrEqual(before)
    expect(made).toBeLessThanOrEqual(Date.now() / 1000)
  })

  it.each([
    ['k8snet-verify-old', 1000, true],
    ['k8snet-verify-new', 'now', false],
    ['somebody-elses', 1000, false],
  ])('of an earlier run: %s made at %s is removed: %s', (name, made, removed) => {
    const namespace = `${name} ${made === 'now' ? Math.floor(Date.now() / 1000) : made}`
    const kubectl = `kubectl() { case "$1 $2" in 'get namespaces') echo '${namespace}' ;; 'delete namespace') echo "delete $3" >>"$log" ;; 'create -f') cat >/dev/null ;; esac; }\n`
    const log = execFileSync('mktemp', { encoding: 'utf8' }).trim()
    run(kubectl + scripts['creates the pods'], { log })
    const said = readFileSync(log, 'utf8')
    execFileSync('rm', [log])
    expect(said).toBe(removed ? `delete ${name}\n` : '')
  })

  it.each([
    [
      'ctr',
      'sha256:abc\nregistry.k8s.io/kube-proxy:v1\nregistry.k8s.io/pause:3.10.2\n',
      'registry.k8s.io/pause:3.10.2',
    ],
    ['crictl', 'images:\n- id: x\n  repoTags:\n  - mirror.example/k8s/pause:3.9\n', 'mirror.example/k8s/pause:3.9'],
    ['ctr', 'docker.io/library/nginx:1\n', ''],
  ])('take the pause image that %s lists', (tool, list, image) => {
    const functions = `ctr() { return 1; }\ncrictl() { return 1; }\n${tool}() { printf '%s' '${list}'; }\n`
    expect(run(functions + pauseImage).stdout.trim()).toBe(image)
  })
})

describe('what asks the kubelets', () => {
  const nodes = [{ name: 'cp1', pod: 'a-cp1' }, { name: 'w1', pod: 'a-w1' }, { name: 'w2' }]
  const ask = (kubectl: string) =>
    run(`kubectl() { ${kubectl}; }\n${askKubelets('ns', nodes)}`)
      .stdout.trimEnd()
      .split('\n')
      .sort()

  it.each([
    ['every one answers', 'echo "$@"', ['kubelet cp1 ok', 'kubelet w1 ok', 'kubelet w2 ok']],
    [
      'one does not',
      'case $* in *nodes/w1/*) echo "dial tcp: refused" >&2; return 1 ;; esac',
      ['kubelet cp1 ok', 'kubelet w1 dial tcp: refused', 'kubelet w2 ok'],
    ],
    [
      'the log of one does not come',
      'case $* in *pods/a-cp1/log*) echo NotFound >&2; return 1 ;; esac',
      ['kubelet cp1 NotFound', 'kubelet w1 ok', 'kubelet w2 ok'],
    ],
  ])('says so when %s', (_, kubectl, expected) => {
    expect(ask(kubectl)).toEqual(expected)
  })
})
