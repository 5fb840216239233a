import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { converged, inventory, sshConfig } from './lab.mjs'
import { k8snet, pair, timed } from './pair.mjs'

const names = ['cp1', 'w1', 'w2']

/** The quick level against probes one by one; the full level against the quick one; ten nodes against three. */
export default async function verify({ rounds = 3 }) {
  await converged()
  await byHand(rounds)
  await pair({
    name: 'verify-full',
    goal: 4,
    rounds,
    plain: async () => (await k8snet('verify', inventory, '--quiet')).ms,
    ours: async () => (await k8snet('verify', inventory, '--level', 'full', '--quiet')).ms,
  })
  await tenNodes(rounds)
}

/** The quick level on ten nodes against three of the same cluster, in turn: the pairs grow elevenfold. */
async function tenNodes(rounds) {
  await k8snet('lab', 'down')
  try {
    await k8snet('lab', 'up', '--hosts', '10')
    await k8snet('up', inventory, '--yes', '--no-verify', '--quiet')
    const few = threeOf(inventory)
    await pair({
      name: 'verify-ten',
      goal: 2.5,
      rounds,
      plain: async () => (await k8snet('verify', few, '--quiet')).ms,
      ours: async () => (await k8snet('verify', inventory, '--quiet')).ms,
    })
  } finally {
    await k8snet('lab', 'down')
  }
}

/** An inventory of three of the hosts of another one. */
function threeOf(file) {
  const whole = parse(readFileSync(file, 'utf8'))
  const hosts = Object.fromEntries(names.map((name) => [name, whole.hosts[name]]))
  const few = join(mkdtempSync(join(tmpdir(), 'k8snet-bench-')), 'three.yaml')
  writeFileSync(few, stringify({ ...whole, hosts }))
  return few
}

/**
 * `verify` against the same probes one after another, each by its own `ssh host nsenter`, on pods that are there already: the
 * way one tries pairs by hand. The plain side does only the TCP probes from pod to pod and from pod to Service; its time is
 * scaled to the number of probes that verify makes.
 */
async function byHand(rounds) {
  const config = sshConfig()
  const checks = JSON.parse((await k8snet('verify', inventory, '-o', 'json')).out).checks.length
  const probe = `import socket; s = socket.create_connection(("10.96.0.1", 443), 2); s.close()`
  const pid = `pgrep -x coredns || pgrep -x pause`
  const one = `sudo nsenter -t $( (${pid}) | head -n 1) -n python3 -c '${probe}'`
  const tries = 12
  await pair({
    name: 'verify',
    goal: 0.2,
    rounds,
    plain: async () => {
      let ms = 0
      for (let i = 0; i < tries; i += 1) ms += (await timed('ssh', ['-F', config, names[i % 3], one])).ms
      return (ms / tries) * checks
    },
    ours: async () => (await k8snet('verify', inventory, '--quiet')).ms,
  })
}
