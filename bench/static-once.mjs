// One comparison of a synthetic cluster in a process of its own. argv: how many nodes. Prints what it cost as JSON.
import { causes } from '../dist/causes/index.js'
import { pictureOf } from '../dist/dump/picture.js'
import { synthetic } from './synthetic.mjs'

const dump = synthetic(Number(process.argv[2]))
const began = performance.now()
const before = process.cpuUsage().user
const picture = pictureOf(dump)
const findings = []
const each = []
for (const cause of causes) {
  const start = performance.now()
  findings.push(...cause.find(picture).map(({ where, message }) => `${cause.code} ${where}: ${message}`))
  each.push([cause.code, Math.round(performance.now() - start)])
}
const ms = performance.now() - began
const cpuMs = (process.cpuUsage().user - before) / 1000
each.sort((a, b) => b[1] - a[1])
const rssMb = process.resourceUsage().maxRSS / 1024
console.log(JSON.stringify({ ms, cpuMs, rssMb, causes: causes.length, findings, slowest: each.slice(0, 6) }))
