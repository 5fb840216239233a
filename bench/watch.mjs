// node --import ./bench/watch.mjs PROGRAM: notes what a run cost, as JSON in the file named by BENCH_WATCH.
import { writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const delay = monitorEventLoopDelay({ resolution: 5 })
let connections = 0
const connect = Socket.prototype.connect
Socket.prototype.connect = function counted(...args) {
  // what came before the first connection held nobody up: modules, the inventory
  if (connections++ === 0) delay.enable()
  return connect.apply(this, args)
}
process.on('exit', () => {
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  const seen = {
    rssMb: maxRSS / 1024,
    cpuMs: (userCPUTime + systemCPUTime) / 1000,
    // the histogram counts the timer's own 5 ms
    blockedMs: Math.max(0, delay.max / 1e6 - 5),
    connections,
  }
  writeFileSync(process.env.BENCH_WATCH, JSON.stringify(seen))
})
