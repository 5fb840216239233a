import { execFileSync } from 'node:child_process'

/**
 * Everything that the dumps of 1,000 nodes say, compared by all causes, against 100 nodes; each in a process of its own. By the
 * time on the CPU, of which other programs of the machine take nothing.
 */
export default async function statically({ rounds = 3 }) {
  const small = measured(100, rounds)
  const large = measured(1000, rounds)
  console.log(`ratio static-1000-to-100 ${(large.cpuMs / small.cpuMs).toFixed(2)} goal 12`)
  console.log(`ratio static-memory ${(large.rssMb / 500).toFixed(2)} goal 1`)
}

function measured(count, rounds) {
  const all = Array.from({ length: rounds }, () =>
    JSON.parse(
      execFileSync(process.execPath, ['bench/static-once.mjs', String(count)], { encoding: 'utf8', maxBuffer: 1e9 }),
    ),
  ).sort((a, b) => a.cpuMs - b.cpuMs)
  for (const { ms, cpuMs, rssMb, causes, findings, slowest } of all)
    console.log(
      `${count} nodes: ${(cpuMs / 1000).toFixed(2)} s of CPU in ${(ms / 1000).toFixed(2)} s, ${rssMb.toFixed(0)} MB, ${causes} causes, ${findings.length} findings; slowest ${slowest.map(([code, it]) => `${code} ${it} ms`).join(', ')}`,
    )
  // a cluster that is well: else the measure is of something else
  for (const finding of all[0].findings.slice(0, 5)) console.log(`unexpected: ${finding}`)
  return { cpuMs: all[Math.floor(all.length / 2)].cpuMs, rssMb: Math.max(...all.map(({ rssMb }) => rssMb)) }
}
