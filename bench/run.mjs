// npm run bench -- NAME [--rounds N]: measures the plain tool and k8snet in turn, in one run, and prints one line a figure:
// ratio NAME VALUE goal GOAL. Machines are noisy, so only the ratio means anything.
import { readdirSync } from 'node:fs'

const [name, ...rest] = process.argv.slice(2)
const known = readdirSync(new URL('.', import.meta.url))
  .filter((file) => file.endsWith('.bench.mjs'))
  .map((file) => file.replace('.bench.mjs', ''))
if (!known.includes(name)) {
  console.error(`usage: npm run bench -- NAME [--rounds N]\nNAME is one of ${known.join(', ')}`)
  process.exit(2)
}
const rounds = rest[0] === '--rounds' ? Number(rest[1]) : undefined
const { default: bench } = await import(`./${name}.bench.mjs`)
await bench({ rounds })
