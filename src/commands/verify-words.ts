import { type Command, Option } from 'commander'
import type { CommandIo } from './io.ts'
import { inventoryCommand } from './options.ts'
import { forms, type VerifyOptions } from './verify-options.ts'

/** `k8snet verify`. */
export function verifyCommand(io: CommandIo): Command {
  return inventoryCommand(
    'verify',
    'Proves the network of a running cluster, pair by pair, and names the cause of what is broken. Changes nothing but its own probe pods, which it removes.',
    [
      'k8snet verify inventory.yaml',
      'k8snet verify inventory.yaml --level full -o html >network.html',
      'k8snet verify inventory.yaml --fix',
      'k8snet verify inventory.yaml --save monday',
      'k8snet verify --from monday',
      'k8snet verify --diff monday tuesday',
      'k8snet verify --kubeconfig admin.conf --ssh admin@',
    ],
    { argument: '[inventory]', forms },
  )
    .addOption(new Option('--level <level>', 'how much is tried').choices(['quick', 'full']).default('quick'))
    .option('--egress <target>', 'also try this address outside of the cluster from every node: 192.0.2.7:443')
    .option('--fix', 'mend what can be mended safely, after asking; down takes it back')
    .option('-y, --yes', 'do not ask')
    .option('--save <dir>', 'keep the dumps that the causes were found in')
    .option('--from <dir>', 'look for causes in saved dumps; touches no host')
    .option('--diff <dirs...>', 'what changed between two saved dumps: OLD NEW')
    .option('--kubeconfig <file>', 'find the nodes by the API server in place of an inventory')
    .option('--context <name>', 'the context of the kubeconfig')
    .option('--ssh <user@>', 'with --kubeconfig: reach the nodes by SSH as this user; else probe pods are all')
    .option('--probe-image <image>', 'without SSH: the image of the probe pods')
    .action(async (file: string | undefined, options: VerifyOptions) =>
      (await import('./verify.ts')).verifyAction(io, file, options),
    )
}
