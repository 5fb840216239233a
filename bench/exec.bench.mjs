import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hosts, inventory } from './lab.mjs'
import { k8snet, pair, timed } from './pair.mjs'

/**
 * `verify` against the way of the connectivity suites: a pod of agnhost on every node, and one `kubectl exec` after another that
 * connects from one to the other. The pods of the plain side are there already, and their making is not counted; those of
 * `verify` are made and removed within its time. The plain side tries every pair of nodes by TCP; its time for one probe is
 * scaled to the probes that it would take for the checks of verify: one for a pair, one for each DNS name, and for a Service as
 * many as it takes on average until each of its endpoints has answered. On six hosts, for pairs are what this is about.
 */
export default async function exec({ rounds = 3 }) {
  await k8snet('lab', 'up', '--hosts', '6')
  await k8snet('up', inventory, '--yes', '--no-verify', '--quiet')
  const { source, hosts: all } = hosts()
  const nodes = Object.keys(all)
  const config = join(mkdtempSync(join(tmpdir(), 'k8snet-exec-')), 'config')
  await k8snet('kubeconfig', inventory, '--out', config)
  const kubectl = (...args) => timed(join(source.bundle, 'files/kubectl'), ['--kubeconfig', config, ...args])
  const image = (await timed('sh', ['test/images/make.sh', 'agnhost'])).out.trim()
  for (const node of nodes)
    await timed(process.execPath, ['dist/cli.js', 'lab', 'ssh', node, '--', 'sudo ctr -n k8s.io images import -'], {
      input: readFileSync(image),
    })
  await kubectl('create', 'namespace', namespace)
  try {
    await timed(join(source.bundle, 'files/kubectl'), ['--kubeconfig', config, 'create', '-f', '-'], {
      input: JSON.stringify(daemonSet),
    })
    await kubectl('-n', namespace, 'rollout', 'status', 'daemonset/agnhost', '--timeout=60s')
    const listed = JSON.parse((await kubectl('-n', namespace, 'get', 'pods', '-o', 'json')).out).items
    const pods = listed.map(({ metadata, status }) => ({ name: metadata.name, ip: status.podIP }))
    const { checks } = JSON.parse((await k8snet('verify', inventory, '-o', 'json')).out)
    const probes = checks.reduce((sum, check) => sum + probesOf(check, nodes.length), 0)
    await pair({
      name: 'exec',
      goal: 0.1,
      rounds,
      plain: async () => {
        let ms = 0
        for (const from of pods)
          for (const to of pods) {
            const probe = ['/agnhost', 'connect', `${to.ip}:8080`, '--timeout=2s']
            ms += (await kubectl('-n', namespace, 'exec', from.name, '--', ...probe)).ms
          }
        return (ms / pods.length ** 2) * probes
      },
      ours: async () => (await k8snet('verify', inventory, '--quiet')).ms,
    })
  } finally {
    await kubectl('delete', 'namespace', namespace, '--wait=false')
  }
}

const namespace = 'bench-exec'

/** What takes no packet is not counted. */
function probesOf({ scenario, protocol }, nodes) {
  if (!protocol) return 0
  if (scenario === 'pod-to-service' || scenario === 'outside-to-service') return untilAll(nodes)
  return scenario === 'dns' ? 2 : 1
}

/** How many times one draws from n until each was drawn: n (1 + 1/2 + ... + 1/n). */
const untilAll = (n) => n * Array.from({ length: n }, (_, i) => 1 / (i + 1)).reduce((sum, part) => sum + part, 0)

const daemonSet = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agnhost', namespace },
  spec: {
    selector: { matchLabels: { app: 'agnhost' } },
    template: {
      metadata: { labels: { app: 'agnhost' } },
      spec: {
        tolerations: [{ operator: 'Exists' }],
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'agnhost',
            image: 'registry.k8s.io/e2e-test-images/agnhost:2.66.1',
            imagePullPolicy: 'Never',
            args: ['netexec'],
          },
        ],
      },
    },
  },
}
