import type { Inventory } from '../model/inventory.ts'
import { type Mask, maskOf } from '../model/mask.ts'
import type { Secret } from '../model/secret.ts'
import type { Secrets } from '../ssh/connect.ts'
import type { CommandIo } from './io.ts'

/** Masks what this run knows to be secret, and all that has the form of a secret. Only once the hosts are connected: it may ask. */
export async function maskFor(io: CommandIo, inventory: Inventory, ...more: (Secret | undefined)[]): Promise<Mask> {
  return maskOf(valuesOf(inventory, more, await io.secrets?.()))
}

/** The values of all secrets of a run. */
export function valuesOf(inventory: Inventory, more: readonly (Secret | undefined)[], given?: Secrets): string[] {
  const passwords = inventory.hosts.flatMap(({ password, jump }) => [
    password,
    ...(jump ?? []).map((it) => it.password),
  ])
  return [...more, ...passwords, given?.password, given?.becomePassword].flatMap((secret) => secret?.reveal() ?? [])
}
