import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Check, VerifyReport } from '../../src/model/report.ts'
import { k8snet, run } from '../helpers/cli.ts'
import { differences, hosts, onHost, states } from '../helpers/lab.ts'
import { byHand, homeFor, importImage, kubectl, lab, makeCluster, prepare, sure } from './by-hand.ts'

/**
 * A cluster that somebody made by hand, with kubeadm and upstream's flannel manifest, on hosts without a trace of k8snet:
 * `verify` tells of it what it tells of its own clusters, by an inventory, by a kubeconfig and SSH, and by a kubeconfig alone.
 */
let home: string
let kubeconfig: string
let own: string

beforeAll(async () => {
  await k8snet(['lab', 'down'])
  const up = await k8snet(['lab', 'up', '--hosts', '3'])
  expect(up.code, up.err).toBe(0)
  home = homeFor()
  await Promise.all(hosts.map((host) => prepare(home, host)))
  await makeCluster(home, await upstream())
  kubeconfig = join(home, 'admin.conf')
  writeFileSync(kubeconfig, (await byHand(home, 'cp1', 'cat /etc/kubernetes/admin.conf')).out, { mode: 0o600 })
  own = join(home, 'inventory.yaml')
  writeFileSync(own, byHandInventory())
  for (const image of ['agnhost', 'python']) await Promise.all(hosts.map((host) => importImage(home, host, image)))
})

afterAll(async () => {
  await k8snet(['lab', 'down'])
})

/** kube-flannel.yml as flannel's Go module ships it. */
async function upstream(): Promise<string> {
  const { out, err } = await run('go', ['mod', 'download', '-json', 'github.com/flannel-io/flannel@v0.28.9'])
  const { Dir } = JSON.parse(out || '{}') as { Dir?: string }
  if (!Dir) throw new Error(err)
  return join(Dir, 'Documentation/kube-flannel.yml')
}

/** What a person would write: names, addresses, a role; SSH is in ~/.ssh/config. */
function byHandInventory(): string {
  const lines = Object.entries(lab().hosts).map(
    ([name, { nodeIP, role }]) => `  ${name}: { address: ${nodeIP}, role: ${role}, user: vagrant }`,
  )
  return `cluster:
  name: by-hand
  kubernetes: 1.37.1
  podSubnet: 10.244.0.0/16
source: { bundle: ${lab().source.bundle} }
hosts:
${lines.join('\n')}
`
}

const python = 'registry.example/probe/python:1'

/** The ways to verify the same cluster. */
const ways: { way: string; args: () => string[] }[] = [
  { way: 'an inventory', args: () => [own] },
  { way: 'a kubeconfig and SSH', args: () => ['--kubeconfig', kubeconfig, '--ssh', 'vagrant@'] },
  { way: 'a kubeconfig alone, with agnhost', args: () => ['--kubeconfig', kubeconfig] },
  {
    way: 'a kubeconfig alone, with an image that has Python',
    args: () => ['--kubeconfig', kubeconfig, '--probe-image', python],
  },
]

async function verified(args: readonly string[]): Promise<{ code: number; report: VerifyReport; err: string }> {
  const ended = await k8snet(['verify', ...args, '-o', 'json'], { env: { HOME: home } })
  return { code: ended.code, report: JSON.parse(ended.out || 'null'), err: ended.err }
}

const idsOf = (checks: readonly Check[], outcome: Check['outcome']) =>
  checks
    .filter((check) => check.outcome === outcome)
    .map(({ id }) => id)
    .sort()

describe('a cluster made by hand', () => {
  it('has no trace of k8snet on its hosts', async () => {
    for (const host of hosts) {
      const found = await onHost(
        host,
        'find / -xdev -iname "*k8snet*" -not -path "/proc/*" 2>/dev/null; grep -rls k8snet /etc || :',
      )
      expect(found.out, host).toBe('')
    }
  })

  it('is proven in every way, with the same checks, and nothing stays behind', async () => {
    const before = await states()
    const reports = new Map<string, VerifyReport>()
    for (const { way, args } of ways) {
      const { code, report, err } = await verified(args())
      expect(report?.checks.filter(({ outcome }) => outcome === 'failed') ?? err, way).toEqual([])
      expect(code, way + err).toBe(0)
      reports.set(way, report)
    }
    const [inventory, ssh, agnhost, withPython] = ways.map(({ way }) => reports.get(way)!.checks)
    expect(idsOf(inventory!, 'passed').length).toBeGreaterThan(80)
    expect(idsOf(inventory!, 'skipped')).toEqual([])
    expect(idsOf(ssh!, 'passed')).toEqual(idsOf(inventory!, 'passed'))
    expect(idsOf(withPython!, 'passed')).toEqual(idsOf(agnhost!, 'passed'))
    // What only SSH shows is said to be unknown, with the reason; the packets' ways are all there.
    for (const check of agnhost!.filter(({ outcome }) => outcome === 'skipped'))
      expect(check.evidence).toContain('no SSH')
    const ways4 = (checks: readonly Check[]) =>
      idsOf(checks, 'passed').filter((id) => /^(pod-to-pod|pod-to-service|dns|containers)\//.test(id))
    expect(ways4(agnhost!)).toEqual(ways4(inventory!))

    await namespacesGone()
    const after = await states()
    for (const host of hosts) {
      const changed = differences(before.get(host)!, after.get(host)!).filter((line) => !ofRuntime.test(line))
      expect(changed, host).toEqual([])
    }
  })

  it('that breaks is found broken in every way, at the same pairs', async () => {
    const peer = `bridge fdb show dev flannel.1 | sed -n 's/^\\([^ ]*\\) .*dst \\([0-9.]*\\).*/\\1 \\2/p' | head -n 1`
    await sure(home, 'w1', `set -- $(${peer}); echo "$1 $2" >/tmp/fdb; bridge fdb del "$1" dev flannel.1 dst "$2"`)
    const pairs = new Map<string, string[]>()
    try {
      for (const { way, args } of ways) {
        const { code, report } = await verified(args())
        expect(code, way).toBe(6)
        const failed = idsOf(report.checks, 'failed').filter((id) => id.startsWith('pod-to-pod/'))
        expect(failed.length, way).toBeGreaterThan(0)
        pairs.set(way, failed)
      }
    } finally {
      await sure(home, 'w1', 'read -r mac dst </tmp/fdb; bridge fdb add "$mac" dev flannel.1 dst "$dst"; rm /tmp/fdb')
    }
    const [first, ...others] = [...pairs.values()]
    for (const other of others) expect(other).toEqual(first)
  })

  it('keeps nothing of a run that was interrupted', async () => {
    const run = k8snet(['verify', '--kubeconfig', kubeconfig, '--timeout', '3s'], { env: { HOME: home } })
    expect((await run).code).not.toBe(0)
    await namespacesGone()
  })
})

describe('a user of the API', () => {
  it('who may not make pods is told which verb on what is missing, and nothing is made', async () => {
    const reader = join(home, 'reader.conf')
    const admin = readFileSync(kubeconfig, 'utf8')
    const token = await sure(
      home,
      'cp1',
      `${kubectl} create serviceaccount reader -n default >/dev/null
${kubectl} create clusterrolebinding reader --clusterrole=view --serviceaccount=default:reader >/dev/null
${kubectl} create clusterrole nodes --verb=get,list --resource=nodes >/dev/null
${kubectl} create clusterrolebinding nodes --clusterrole=nodes --serviceaccount=default:reader >/dev/null
${kubectl} create token reader`,
    )
    writeFileSync(
      reader,
      admin.replace(/client-certificate-data: .*\n\s*client-key-data: .*/, `token: ${token.trim()}`),
    )
    const ended = await k8snet(['verify', '--kubeconfig', reader], { env: { HOME: home } })
    await sure(
      home,
      'cp1',
      `${kubectl} delete clusterrolebinding reader nodes; ${kubectl} delete clusterrole nodes; ${kubectl} delete serviceaccount reader -n default`,
    )
    expect(ended.code).toBe(5)
    expect(ended.err).toContain('API_FORBIDDEN')
    expect(ended.err).toMatch(/may not create namespaces/)
    expect(ended.err + ended.out).not.toContain(token.trim())
  })

  it('whose API server is down is led to an inventory', async () => {
    const dead = join(home, 'dead.conf')
    writeFileSync(dead, readFileSync(kubeconfig, 'utf8').replace(/server: .*/, 'server: https://127.0.0.1:1'))
    const ended = await k8snet(['verify', '--kubeconfig', dead], { env: { HOME: home } })
    expect(ended.code).toBe(4)
    expect(ended.err).toContain('API_UNREACHABLE')
    expect(ended.err).toContain('k8snet verify inventory.yaml')
  })
})

/** The kubelet tidies up what its runtime keeps of containers that ended, also of those that nobody here made. */
const ofRuntime = /^[+-] state directories: \/var\/lib\/containerd\/io\.containerd/

/** The API server removes the pods at once, and their namespace soon after; then the kubelets remove their sandboxes. */
async function namespacesGone(): Promise<void> {
  const until = (look: string) =>
    `for i in $(seq 300); do found=$(${look}) || break; sleep 1; done; echo "left: $found"`
  const inApi = await byHand(home, 'cp1', until(`${kubectl} get namespaces -o name | grep k8snet-verify`))
  expect(inApi.out).toBe('left: \n')
  const pods = 'crictl -r unix:///run/containerd/containerd.sock pods'
  for (const host of hosts) {
    expect((await byHand(home, host, pods)).out, host).toContain('kube-flannel-ds')
    expect((await byHand(home, host, until(`${pods} | grep k8snet-verify`))).out, host).toBe('left: \n')
  }
}
