import type { Action } from '../../model/action.ts'
import type { Cause, Finding } from '../../model/cause.ts'
import { cidrText, networkOf } from '../../model/cidr.ts'
import type { Link, Picture } from '../../model/dump.ts'
import { envStale } from './flannel.ts'
import { addressIn, addressLine, bridgeOf, isUp, linkLine, type Seen, seenOf, shown } from './ground.ts'
import { setMaster, setUp } from './remedy.ts'
import { breaksOf, endsOf, listOf, nameOf, type Running, runningOn, whereOf } from './running.ts'

/** The bridge of the pods, where the node has it. */
function ofNode(member: Seen): Link | undefined {
  const name = bridgeOf(member)
  return member.view.links.find((link) => link.name === name)
}

/** Pods that the bridge of the node should join: those with a veth, made by flannel's plugin. */
function joined(picture: Picture, member: Seen): Running[] {
  return runningOn(picture, member).filter((running) => endsOf(member, running).outside !== undefined)
}

export const cni0Missing: Cause = {
  code: 'CNI0_MISSING',
  because:
    'The bridge joins the pods of a node with each other and with the node, and its address is the way out of every pod. It is made with the first pod and not again for the others.',
  shows: 'ip link show cni0',
  fix: 'Make the pods of the node anew (drain it and uncordon it): the first one brings the bridge back.',
  needs: 'flannel',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name, view } = member
      const bridge = bridgeOf(member)
      if (!bridge || view.links.length === 0 || ofNode(member)) return []
      const pods = joined(picture, member)
      const own = pods.length > 0 ? pods.length : nets(picture, member)
      if (own === 0) return []
      return [
        {
          where: name,
          message: `${name} has ${own} pods, but no bridge ${bridge}`,
          evidence: [shown(name, `ip link show ${bridge}`, `Device "${bridge}" does not exist.`)],
          breaks: { nodes: [name] },
        },
      ]
    }),
}

/** Where no API server answers: namespaces of pods with a veth. */
function nets({ cluster }: Picture, { view }: Seen): number {
  if (cluster) return 0
  return view.pods.filter(({ links }) => links.some(({ name, kind }) => name === 'eth0' && kind === 'veth')).length
}

export const cni0Down: Cause = {
  code: 'CNI0_DOWN',
  because:
    'Every packet from and to the pods of the node passes the bridge. While it is down nothing passes, and the kernel has removed the route to the pods.',
  shows: 'ip link show cni0',
  fix: 'ip link set cni0 up on the node.',
  needs: 'flannel',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const bridge = ofNode(member)
      if (!bridge || isUp(bridge)) return []
      return [
        {
          where: member.name,
          message: `the bridge ${bridge.name} of ${member.name} is down`,
          evidence: [shown(member.name, `ip link show ${bridge.name}`, linkLine(bridge))],
          breaks: { nodes: [member.name] },
          remedy: [{ node: member.name, actions: [setUp(bridge)] }],
        },
      ]
    }),
}

export const cni0AddressWrong: Cause = {
  code: 'CNI0_ADDRESS_WRONG',
  because:
    'The first address of the podCIDR is the way out of every pod, and the bridge has to hold it. With another one the pods have no way out, and the plugin refuses to make new ones.',
  shows: 'ip addr show cni0',
  fix: 'Drain the node, ip link del cni0, uncordon it: the next pod makes the bridge with the right address.',
  needs: 'flannel',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name, cidr, view } = member
      const bridge = ofNode(member)
      if (!bridge || !cidr || bridge.addresses.some(({ ip }) => ip === addressIn(cidr, 1))) return []
      const own = bridge.addresses.filter(({ family }) => family === 4)
      const subnet = networkOf(view.flannelEnv?.get('FLANNEL_SUBNET') ?? '')
      const follows = envStale(member) && own.some(({ ip }) => subnet && ip === addressIn(subnet, 1))
      if (follows) return []
      return [
        {
          where: name,
          message: `${bridge.name} of ${name} has ${own.map(({ ip, prefix }) => `${ip}/${prefix}`).join(', ') || 'no address'}, it should have ${addressIn(cidr, 1)} of ${cidrText(cidr)}`,
          evidence: [shown(name, `ip addr show ${bridge.name}`, addressLine(bridge))],
          breaks: { nodes: [name] },
        },
      ]
    }),
}

export const vethDetached: Cause = {
  code: 'VETH_DETACHED',
  because:
    'The link of a pod ends in a port of the bridge. A port that was taken out of it, is down or does not forward passes nothing, so the pod is cut off while it looks healthy.',
  shows: 'bridge link show; ip link show master cni0',
  fix: 'ip link set VETH master cni0 up on the node, or make the pod anew.',
  needs: 'flannel',
  find: (picture) =>
    seenOf(picture).flatMap((member): Finding[] => {
      const { name } = member
      const bridge = ofNode(member)
      if (!bridge || !isUp(bridge)) return []
      const cut = joined(picture, member).filter((running) => {
        const { inside, outside } = endsOf(member, running)
        // where the pod's own end is down, the port is too: POD_LINK_DOWN
        return inside && isUp(inside) && outside && isCut(outside, bridge)
      })
      if (cut.length === 0) return []
      const pods = cut.map(({ pod }) => pod)
      return [
        {
          where: whereOf(name, pods),
          message: `the link of ${listOf(pods.map(nameOf))} is no working port of ${bridge.name} on ${name}`,
          evidence: cut.slice(0, 4).map((running) => {
            const link = endsOf(member, running).outside!
            const state = link.port ? ` state ${link.port.state}` : ''
            return shown(name, `ip link show ${link.name}; bridge link show dev ${link.name}`, linkLine(link) + state)
          }),
          breaks: breaksOf(pods),
          remedy: [
            { node: name, actions: cut.flatMap((running) => mended(member, endsOf(member, running).outside!, bridge)) },
          ],
          fix: `ip link set ${endsOf(member, cut[0]!).outside!.name} master ${bridge.name} up on ${name}, or make the pod anew.`,
        },
      ]
    }),
}

function mended({ view }: Seen, link: Link, bridge: Link): Action[] {
  const hairpin = view.cni.configs.some(({ text }) => /"hairpinMode":\s*true/.test(text))
  return [
    ...(link.master === bridge.name ? [] : [setMaster(link, bridge.name, hairpin)]),
    ...(isUp(link) ? [] : [setUp(link)]),
  ]
}

function isCut(link: Link, bridge: Link): boolean {
  return link.master !== bridge.name || !isUp(link) || ['disabled', 'blocking'].includes(link.port?.state ?? '')
}
