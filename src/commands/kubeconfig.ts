import { resolve } from 'node:path'
import type { Command } from 'commander'
import { leaderOf } from '../model/inventory.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { CommandIo } from './io.ts'
import { type CommonOptions, inventoryCommand } from './options.ts'
import { saveFile } from './save-file.ts'
import { open, withHosts } from './session.ts'

/** `k8snet kubeconfig`: the admin's kubeconfig, from the control plane. */
export function kubeconfigCommand(io: CommandIo): Command {
  return inventoryCommand(
    'kubeconfig',
    "Prints the cluster's admin kubeconfig, or saves it.",
    'k8snet kubeconfig inventory.yaml --out ~/.kube/lab',
  )
    .option('--out <file>', 'save it here, readable by you alone')
    .action(async (file: string, options: CommonOptions & { out?: string }) => {
      const leader = leaderOf(open(io, file))
      const reply = await withHosts(io, [leader], (hands) => hands.get(leader)!.look('cat /etc/kubernetes/admin.conf'))
      if (reply.code !== 0) {
        throw new Failure(exits.badInput, {
          code: 'NO_CLUSTER',
          message: 'there is no admin.conf on the control plane',
          where: leader.name,
          fix: `k8snet up ${file}`,
        })
      }
      if (options.out) await saveFile(resolve(io.cwd, options.out), reply.out, 'the kubeconfig')
      if (options.output === 'json')
        io.out(`${JSON.stringify(options.out ? { file: options.out } : { kubeconfig: reply.out }, null, 2)}\n`)
      else io.out(options.out ? `saved in ${options.out}\n` : reply.out)
    })
}
