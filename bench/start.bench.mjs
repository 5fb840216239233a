import { pair, timed } from './pair.mjs'

/** What a command costs before it does anything, against `node` that does nothing. */
export default async function start({ rounds = 15 }) {
  const node = (...args) => timed(process.execPath, args)
  const plain = async () => (await node('-e', '0')).ms
  await pair({
    name: 'start-version',
    goal: 2,
    rounds,
    plain,
    ours: async () => (await node('dist/cli.js', '--version')).ms,
  })
  await pair({
    name: 'start-help',
    goal: 3,
    rounds,
    plain,
    ours: async () => (await node('dist/cli.js', 'up', '--help')).ms,
  })
}
