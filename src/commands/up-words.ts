import type { Command } from 'commander'
import type { CommandIo } from './io.ts'
import { inventoryCommand } from './options.ts'
import type { UpOptions } from './up.ts'

/** `k8snet up`: plan, ask, run, verify. */
export function upCommand(io: CommandIo): Command {
  return inventoryCommand(
    'up',
    'Makes the hosts of an inventory a Kubernetes cluster and proves its network.',
    'k8snet up inventory.yaml',
  )
    .option('--plan <file>', 'do exactly what this saved plan says; asks nothing')
    .option('-y, --yes', 'do not ask')
    .option('--no-verify', 'do not prove the network afterwards')
    .action(async (file: string, options: UpOptions) => (await import('./up.ts')).upAction(io, file, options))
}
