import { converged, inventory, sshConfig } from './lab.mjs'
import { k8snet, pair, timed } from './pair.mjs'

/** The second `up`, without verify, against one `ssh host true` to each of the three hosts side by side. */
export default async function noop({ rounds = 9 }) {
  await converged()
  const config = sshConfig()
  await pair({
    name: 'noop',
    goal: 3,
    rounds,
    plain: async () =>
      (await timed('sh', ['-c', `for host in cp1 w1 w2; do ssh -F ${config} $host true & done; wait`])).ms,
    ours: async () => (await k8snet('up', inventory, '--yes', '--no-verify')).ms,
  })
}
