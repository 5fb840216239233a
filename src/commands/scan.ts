import type { Command } from 'commander'
import { exits } from '../model/trouble.ts'
import { type Shown, scanAll } from '../ssh/scan.ts'
import { troubleJson, troubleText } from '../view/failure.ts'
import { table } from '../view/table.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { choose, connectOptions, open } from './session.ts'

/** `k8snet scan`: the host keys of all hosts, and what is known of each. Logs in to no host and writes nothing. */
export function scanCommand(io: CommandIo): Command {
  return inventoryCommand(
    'scan',
    'Shows the host keys of all hosts and whether they are known, to compare and pin.',
    'k8snet scan inventory.yaml',
  ).action(async (file: string, options: CommonOptions) => {
    const shown = await scanAll(choose(open(io, file), options.only), await connectOptions(io))
    const ok = shown.every(isKnown)
    if (options.output === 'json') io.out(`${JSON.stringify({ ok, hosts: shown.map(json) }, null, 2)}\n`)
    else {
      io.out(text(shown))
      for (const { state, trouble } of shown) if (trouble && state !== 'unknown') io.err(troubleText(trouble, io.color))
    }
    if (!ok) io.exit(exits.unreachable)
  })
}

const isKnown = ({ state }: Shown) => state === 'pinned' || state === 'known'

function text(shown: readonly Shown[]): string {
  const rows = shown.map(({ name, address, port, type, fingerprint, state, at }) => [
    name,
    port === 22 ? address : `${address} port ${port}`,
    type ?? '-',
    fingerprint ?? '-',
    at ? `${state}, ${at}` : state,
  ])
  const pins = shown.flatMap(({ state, pin, type }) => (state === 'unknown' ? [{ pin: pin!, type: type! }] : []))
  if (pins.length === 0) return table([['HOST', 'ADDRESS', 'KEY', 'FINGERPRINT', 'KNOWN'], ...rows])
  const files = [...new Set(pins.map(({ type }) => type.replace(/^ssh-/, '').replace(/^ecdsa-.*/, 'ecdsa')))]
  const looks = files.map((kind) => `ssh-keygen -lf /etc/ssh/ssh_host_${kind}_key.pub`)
  return `${table([['HOST', 'ADDRESS', 'KEY', 'FINGERPRINT', 'KNOWN'], ...rows])}
Compare each with what the host itself says, by its console:
${looks.map((look) => `  ${look}\n`).join('')}then write into the inventory:
${pins.map(({ pin }) => `  ${pin}\n`).join('')}`
}

function json({ trouble, ...shown }: Shown) {
  return { ...shown, ...(trouble && { error: troubleJson(trouble) }) }
}
