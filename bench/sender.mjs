// One process that sends a file to a host as k8snet does, as many hosts at once as it is told. argv: FILE HOSTS TARGET JSON-HOST.
// Prints its milliseconds and its largest resident memory.
import { createReadStream } from 'node:fs'
import { connectAll } from '../dist/ssh/connect.js'

const [file, count, target, host] = process.argv.slice(2)
const hosts = Array.from({ length: Number(count) }, (_, i) => ({ ...JSON.parse(host), name: `h${i}` }))
const hands = [...(await connectAll(hosts)).values()]
const began = performance.now()
const replies = await Promise.all(hands.map((hand) => hand.send(`cat >${target}`, createReadStream(file))))
const ms = performance.now() - began
if (replies.some(({ code }) => code !== 0)) throw new Error(replies[0].err)
for (const hand of hands) hand.close()
console.log(JSON.stringify({ ms, rssMb: process.resourceUsage().maxRSS / 1024 }))
