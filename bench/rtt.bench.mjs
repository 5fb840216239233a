import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { converged, hosts as labHosts, sshConfig } from './lab.mjs'
import { k8snet, timed } from './pair.mjs'

/** What a stage has to do again: one step, or many. */
const drift = {
  none: ':',
  prepare:
    'rm -f /etc/crictl.yaml /etc/modules-load.d/k8snet.conf /etc/sysctl.d/90-k8snet.conf; sysctl -qw net.ipv4.ip_forward=0',
  both: 'rm -f /etc/crictl.yaml /etc/modules-load.d/k8snet.conf /etc/sysctl.d/90-k8snet.conf; sysctl -qw net.ipv4.ip_forward=0; rm -f /home/*/.kube/config',
}

/**
 * Round trips, by how much longer `up` takes at 1100 ms than at 100 ms. The proxy answers TCP's own handshake itself: one is
 * added for it. A stage's are those of two stages with work less those of one.
 */
export default async function rtt({ rounds = 3 }) {
  await converged()
  const trips = {}
  for (const [name, script] of Object.entries(drift)) {
    const [near, far] = [await timeAt(100, script, rounds), await timeAt(1100, script, rounds)]
    trips[name] = (far - near) / 1000
    console.log(
      `drift ${name}: ${near.toFixed(0)} ms at 100 ms, ${far.toFixed(0)} ms at 1100 ms: ${trips[name].toFixed(1)} round trips`,
    )
  }
  console.log(`ratio rtt-noop ${((trips.none + 1) / 10).toFixed(2)} goal 1`)
  console.log(`ratio rtt-stage ${((trips.both - trips.prepare) / 6).toFixed(2)} goal 1`)
}

async function timeAt(ms, script, rounds) {
  const lab = labHosts()
  const { cp1 } = lab.hosts
  const proxy = spawn(process.execPath, ['bench/delay.mjs', cp1.address, String(cp1.port), String(ms / 2)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const [port] = await createInterface({ input: proxy.stdout })
      [Symbol.asyncIterator]()
      .next()
      .then(({ value }) => [value])
    const file = join(mkdtempSync(join(tmpdir(), 'k8snet-rtt-')), 'inventory.yaml')
    const host = { ...cp1, address: '127.0.0.1', port: Number(port) }
    writeFileSync(file, JSON.stringify({ ...lab, hosts: { cp1: host } }))
    const times = []
    for (let round = 0; round < rounds; round += 1) {
      await timed('ssh', ['-F', sshConfig(), 'cp1', 'sudo', 'sh', '-c', `'${script}'`])
      times.push((await k8snet('up', file, '--yes', '--no-verify')).ms)
    }
    return Math.min(...times)
  } finally {
    proxy.kill()
  }
}
