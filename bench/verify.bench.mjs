import { converged, inventory, sshConfig } from './lab.mjs'
import { k8snet, pair, timed } from './pair.mjs'

/**
 * `verify` against the same probes one after another, each by its own `ssh host nsenter`, on pods that are there already: the
 * way one tries pairs by hand. The plain side does only the TCP probes from pod to pod and from pod to Service; its time is
 * scaled to the number of probes that verify makes.
 */
export default async function verify({ rounds = 3 }) {
  await converged()
  const config = sshConfig()
  const checks = JSON.parse((await k8snet('verify', inventory, '-o', 'json')).out).checks.length
  const probe = `import socket; s = socket.create_connection(("10.96.0.1", 443), 2); s.close()`
  const pid = `pgrep -x coredns || pgrep -x pause`
  const one = `sudo nsenter -t $( (${pid}) | head -n 1) -n python3 -c '${probe}'`
  const names = ['cp1', 'w1', 'w2']
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
