import type { Link, NodeView, PodNet } from '../model/dump.ts'
import { podName } from './names.ts'
import { dies, type End, type Run } from './run.ts'

/** Who has an address on a bridge: the pod, its link, and the host's end of that. */
export interface AtPort {
  readonly pod: PodNet
  readonly link: Link
  readonly veth?: Link
}

export function atPort(view: NodeView, ip: string): AtPort | undefined {
  for (const pod of view.pods)
    for (const link of pod.links)
      if (link.addresses.some((address) => address.ip === ip)) {
        const veth = view.links.find(({ index, kind }) => kind === 'veth' && index === link.peerIndex)
        return { pod, link, ...(veth && { veth }) }
      }
  return undefined
}

export const asksRules = (view: NodeView): boolean => view.sysctls.get('net.bridge.bridge-nf-call-iptables') === '1'

/** Out by a port that is none of the bridge, or by the one that it came in by and that sends nothing back. */
export function refusedByPort(run: Run, view: NodeView, bridge: string, next: string, from?: string): End | undefined {
  const veth = atPort(view, next)?.veth
  const command = veth && `bridge -d link show dev ${veth.name}`
  if (!veth || !command) return undefined
  if (veth.master !== bridge)
    return dies(run, view.node, veth.name, `it leads to ${podName(run.names, next)} and is no port of ${bridge}`, {
      command,
      code: 'VETH_DETACHED',
    })
  if (veth.name !== from || veth.port?.hairpin) return undefined
  return dies(run, view.node, veth.name, 'back by the port of the bridge that it came from, and its hairpin is off', {
    command,
    code: 'HAIRPIN_OFF',
  })
}
