import { access } from 'node:fs/promises'
import type { Lab } from './lab.ts'
import { tools, works } from './tools.ts'

export const providers = ['virtualbox', 'libvirt', 'docker'] as const
export type Provider = (typeof providers)[number]

/** What a machine has for running virtual hosts. */
export interface Machine {
  /** VBoxManage answers and its kernel driver is loaded. */
  readonly virtualbox: boolean
  /** virsh reaches the system's libvirt. */
  readonly libvirt: boolean
  /** /dev/kvm can be used. */
  readonly kvm: boolean
}

/** Real virtual machines where the machine can run them, containers elsewhere. */
export function chooseProvider({ virtualbox, libvirt, kvm }: Machine): Provider {
  if (virtualbox) return 'virtualbox'
  return libvirt && kvm ? 'libvirt' : 'docker'
}

/** Looks at what this machine has. */
export async function lookAtMachine(lab: Lab): Promise<Machine> {
  const $ = tools(lab)
  const [virtualbox, libvirt, kvm] = await Promise.all([
    there('/dev/vboxdrv').then((driver) => driver && works(lab, $`VBoxManage list hostinfo`)),
    works(lab, $`virsh --connect qemu:///system version`),
    there('/dev/kvm'),
  ])
  return { virtualbox, libvirt, kvm }
}

/** Is there something at the path? */
export function there(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
