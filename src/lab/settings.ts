import { exits, Failure } from '../model/trouble.ts'
import { readJson } from './files.ts'
import { type Lab, paths } from './lab.ts'
import type { Provider } from './provider.ts'

/** What the Vagrantfile reads: .vagrant/lab.json. */
export interface Settings {
  readonly id: string
  readonly provider: Provider
  /** How many hosts, 1 to 12. */
  readonly hosts: number
  /** The first three numbers of the private network. */
  readonly subnet: string
  /** The port of this machine that leads to the first host's sshd; the others follow. */
  readonly port: number
  /** docker only: the host image. */
  readonly image?: string
}

/** What the last `lab up` here settled; undefined before the first, and in a folder that was copied or moved from another lab's. */
export async function readSettings(lab: Lab): Promise<Settings | undefined> {
  const settings = await readJson<Settings>(paths.settings(lab))
  return settings?.id === lab.id ? settings : undefined
}

export const defaultHosts = 3
export const mostHosts = 12

/** cp1, w1, w2, … as in the Vagrantfile. */
export function hostNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => (i === 0 ? 'cp1' : `w${i}`))
}

/** The private address of the host with that number, counted from 0, as in the Vagrantfile. */
export const nodeIpOf = (subnet: string, index: number): string => `${subnet}.${11 + index}`

/** @throws Failure USAGE when the number of hosts is none that a lab can have */
export function checkCount(count: number): number {
  if (Number.isInteger(count) && count >= 1 && count <= mostHosts) return count
  throw new Failure(exits.badInput, {
    code: 'USAGE',
    message: `a lab has 1 to ${mostHosts} hosts`,
    fix: `--hosts ${defaultHosts}`,
  })
}
