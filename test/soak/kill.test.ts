import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { k8snet } from '../helpers/cli.ts'
import { hosts, inventory, json, notRestored, onHost, planned, states } from '../helpers/lab.ts'

/**
 * `kill -9` of k8snet at random moments of `up` on real hosts. Whatever the moment, the next `up` ends converged with its network
 * proven, and `down` right after the kill gives the hosts back as they were. K8SNET_ROUNDS says how often (npm run soak).
 */

const rounds = Number(process.env.K8SNET_ROUNDS ?? 3)
const moments: { round: number; second: string; at: string; after: string; ended: string }[] = []
let bare: ReadonlyMap<string, string>

beforeAll(async () => {
  await k8snet(['lab', 'down'])
  const ended = await k8snet(['lab', 'up', '--hosts', '3'], { echo: true })
  expect(ended.code, ended.err).toBe(0)
  bare = await states()
})

afterAll(async () => {
  await k8snet(['lab', 'down'])
  console.log(tableOf(moments))
})

/** Starts `up`, kills it after so many milliseconds, and says what it was at: the last line of its progress. */
async function killedUp(ms: number): Promise<string> {
  const child = spawn(process.execPath, ['dist/cli.js', 'up', inventory, '--yes', '--no-verify'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  })
  let told = ''
  const listen = (data: Buffer) => {
    told += data
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  const closed = new Promise((resolve) => child.on('close', resolve))
  const timer = setTimeout(() => child.kill('SIGKILL'), ms)
  await closed
  clearTimeout(timer)
  return told.trim().split('\n').at(-1) || 'the first look'
}

describe(`kill -9 in the middle of up, ${rounds} times`, () => {
  it.each(Array.from({ length: rounds }, (_, i) => i + 1))('round %i loses nothing', async (round) => {
    // Most of an undisturbed run's time, so that every stage is hit; the first moments are the connections and the first look.
    const ms = 300 + Math.random() * 32_000
    const at = await killedUp(ms)
    const downFirst = round % 3 === 0
    const moment = {
      round,
      second: (ms / 1000).toFixed(1),
      at,
      after: downFirst ? 'down' : 'up, verify, down',
      ended: 'broken',
    }
    moments.push(moment)
    if (!downFirst) {
      const up = await json('up', inventory, '--yes')
      expect(up.code, `${at}\n${up.err}${JSON.stringify(up.json)}`).toBe(0)
      expect(await planned()).toEqual([])
    }
    const down = await json('down', inventory, '--yes')
    expect(down.code, `${at}\n${down.err}${JSON.stringify(down.json)}`).toBe(0)
    expect(notRestored(bare, await states())).toEqual([])
    for (const host of hosts) {
      const left = await onHost(
        host,
        'ls -A /var/lib/k8snet /run/k8snet 2>/dev/null; systemctl list-units --all --plain --no-legend "k8snet*"',
      )
      expect(left.out.trim(), host).toBe('')
    }
    moment.ended = downFirst ? 'restored' : 'converged, proven, restored'
    console.log(Object.values(moment).join('  '))
  })
})

function tableOf(rows: readonly Record<string, string | number>[]): string {
  const names = Object.keys(rows[0] ?? {})
  const all = [names, ...rows.map((row) => names.map((name) => String(row[name])))]
  const widths = names.map((_, i) => Math.max(...all.map((cells) => cells[i]!.length)))
  return all
    .map((cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
