import { lacking } from '../facts/packages.ts'
import type { Inventory } from '../model/inventory.ts'
import { step } from '../model/step.ts'

/** A bare host gets the commands that Kubernetes calls from its distribution. What cannot be installed is refused by preflight. */
export const packages = step({
  title: 'The commands that Kubernetes calls are installed',
  asks: ({ inventory }) => ({ lacking: lacking(needed(inventory)) }),
  plan: ({ lacking: { tool, names, adds } }) =>
    tool === null || adds.length === 0 ? [] : [{ kind: 'package', tool, names, adds }],
})

/** What kubeadm, the kubelet, kube-proxy, the CNI plugins and k8snet's own scripts call. */
export function needed({ cluster }: Inventory): string[] {
  const always =
    'awk cmp cp df getent grep ip iptables losetup mount nsenter sed sha256sum sort stat tar timeout umount'
  return [...always.split(' '), ...(cluster.proxy === 'nftables' ? ['nft'] : [])]
}
