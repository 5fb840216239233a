import { files, paths } from '../facts/files.ts'
import { modules as loaded, type Module } from '../facts/modules.ts'
import type { Action } from '../model/action.ts'
import { type Site, step } from '../model/step.ts'
import { fileIs } from './files.ts'

/** The kernel modules of the runtime and the pod network, now and at boot. A feature that is built in counts as loaded. */
export const modules = step({
  title: 'The kernel has overlay, br_netfilter, nf_conntrack and what the pod network needs',
  asks: () => ({ loaded, files }),
  plan: ({ loaded, files }, site) => {
    const wanted = wantedModules(site)
    return [
      ...fileIs(files, paths.modules, `${wanted.join('\n')}\n`),
      ...wanted.filter((name) => !loaded.has(name)).map((name): Action => ({ kind: 'module', name })),
    ]
  },
})

function wantedModules({ inventory }: Site): Module[] {
  const overlay = { vxlan: ['vxlan'], udp: ['tun'], 'host-gw': [] } as const
  return ['overlay', 'br_netfilter', 'nf_conntrack', ...overlay[inventory.cluster.network.backend]]
}
