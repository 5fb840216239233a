import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { CommandIo } from '../../src/commands/io.ts'
import { traceCommand } from '../../src/commands/trace.ts'
import { saveDump } from '../../src/dump/save.ts'
import type { Trace } from '../../src/model/trace.ts'
import { Failure } from '../../src/model/trouble.ts'
import { recorded } from './recorded.ts'

const dir = mkdtempSync(join(tmpdir(), 'k8snet-trace-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** Runs `k8snet trace` on the dump of a recording; what it printed, and with what it ended. */
async function run(name: string, ...argv: string[]): Promise<{ out: string; exit: number }> {
  await saveDump(join(dir, name), recorded(name).picture.dump)
  const result = { out: '', exit: 0 }
  const io = {
    out: (text: string) => {
      result.out += text
    },
    err: () => {},
    color: false,
    outIsTerminal: false,
    cwd: dir,
    exit: (code: number) => {
      result.exit = code
    },
  } as unknown as CommandIo
  await traceCommand(io)
    .exitOverride()
    .parseAsync([...argv, '--from', name], { from: 'user' })
  return result
}

it('follows a packet in a saved dump, without a cluster', async () => {
  const { out, exit } = await run('healthy-cross-node', 'demo/client', 'demo/web-b')
  expect(out).toContain('verdict: ok')
  expect(exit).toBe(0)
})

it('ignores an inventory where a dump is named', async () => {
  expect((await run('healthy-cross-node', 'inventory.yaml', 'demo/client', 'demo/web-b')).exit).toBe(0)
})

it('ends with 6 where the packet dies, and says where', async () => {
  const { out, exit } = await run('port-8472-blocked', 'demo/client', 'demo/web-b')
  expect(exit).toBe(6)
  expect(out).toContain('verdict: BROKEN: at hop 11, INPUT of cp1: TUNNEL_PORT_BLOCKED')
})

it('prints JSON with the command of every hop', async () => {
  const { out } = await run('nft-healthy-service', 'demo/client', 'svc/demo/web', '-o', 'json')
  const { branches } = JSON.parse(out) as Trace
  expect(branches.map(({ ok }) => ok)).toEqual([true, true, true])
  for (const { there, back } of branches)
    for (const hop of [...there, ...back]) expect(hop.command, hop.text).not.toBe('')
})

it.each([
  [['demo/client'], 'USAGE'],
  [['demo/client', 'demo/web-b', '--live'], 'USAGE'],
  [['demo/client', 'demo/nobody'], 'END_UNKNOWN'],
])('refuses %j', async (argv, code) => {
  const refused = await run('healthy-cross-node', ...argv).catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(Failure)
  expect((refused as Failure).troubles[0]?.code).toBe(code)
  expect((refused as Failure).exit).toBe(2)
})

it('puts a command below its hop where the terminal is narrow', async () => {
  const { traceText } = await import('../../src/view/trace.ts')
  const { predicted } = recorded('healthy-cross-node')
  const lines = traceText(predicted, { color: false, columns: 80 }).split('\n')
  expect(lines.filter((line) => line.trim().startsWith('$ ')).length).toBeGreaterThan(5)
})
