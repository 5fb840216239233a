import { fleet } from './fleet.mjs'
import { converged } from './lab.mjs'
import { k8snet } from './pair.mjs'

/** `up --only` in an inventory of 1,000 hosts, by the hosts that the server saw. The second connection to the leader holds the lock. */
export default async function only() {
  await converged()
  const { file, connections, stop } = await fleet(1000)
  try {
    const { ms } = await k8snet('up', file, '--only', 'w-0500', '--yes', '--no-verify')
    const seen = await connections()
    const hosts = Object.keys(seen).length
    console.log(`${(ms / 1000).toFixed(2)} s, connections by address: ${JSON.stringify(seen)}`)
    console.log(`ratio only-hosts ${(hosts / 2).toFixed(2)} goal 1`)
  } finally {
    stop()
  }
}
