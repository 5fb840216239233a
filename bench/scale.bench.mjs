import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fleet } from './fleet.mjs'
import { converged } from './lab.mjs'
import { timed } from './pair.mjs'

/** A second `up` without verify on 1,000 and on 5,000 simulated hosts that have converged: connect, gather, plan, close. */
export default async function scale({ rounds = 3 }) {
  await converged()
  const small = await measured(1000, rounds)
  print('scale-1000-seconds', small.seconds / 4, 1)
  print('scale-1000-memory', small.rssMb / 250, 1)
  const large = await measured(5000, rounds)
  print('scale-5000-to-1000', large.seconds / small.seconds, 6)
  print('scale-blocked', Math.max(small.blockedMs, large.blockedMs) / 50, 1)
}

const print = (name, value, goal) => console.log(`ratio ${name} ${value.toFixed(2)} goal ${goal}`)

async function measured(count, rounds) {
  const { file, stop } = await fleet(count)
  try {
    const all = []
    for (let round = 1; round <= rounds; round += 1) all.push(await watched(['up', file, '--yes', '--no-verify']))
    all.sort((a, b) => a.seconds - b.seconds)
    for (const it of all)
      console.log(
        `${count} hosts: ${it.seconds.toFixed(2)} s, ${it.rssMb.toFixed(0)} MB, ${(it.cpuMs / 1000).toFixed(2)} s of CPU, event loop blocked at most ${it.blockedMs.toFixed(0)} ms, ${it.connections} connections`,
      )
    return { ...all[Math.floor(all.length / 2)], blockedMs: Math.max(...all.map(({ blockedMs }) => blockedMs)) }
  } finally {
    stop()
  }
}

/** Runs k8snet and says what it cost. */
export async function watched(args) {
  const note = join(tmpdir(), `k8snet-watch-${process.pid}.json`)
  const { ms, out } = await timed(process.execPath, ['--import', './bench/watch.mjs', 'dist/cli.js', ...args], {
    env: { ...process.env, BENCH_WATCH: note },
  })
  return { seconds: ms / 1000, out, ...JSON.parse(readFileSync(note, 'utf8')) }
}
