import type { Membership } from '../../facts/membership.ts'
import { type Inventory, leaderOf } from '../../model/inventory.ts'

/** Is the host a member of a cluster whose API server is where the inventory's is, or on its way to be one? */
export function isOurs({ kubelet, half }: Membership, inventory: Inventory): boolean {
  return half || kubelet?.server === serverOf(inventory)
}

/** https://10.0.0.11:6443 */
export function serverOf(inventory: Inventory): string {
  const { nodeIP } = leaderOf(inventory)
  return `https://${nodeIP.includes(':') ? `[${nodeIP}]` : nodeIP}:6443`
}
