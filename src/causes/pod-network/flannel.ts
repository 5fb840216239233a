import type { Cause, Finding } from '../../model/cause.ts'
import { cidrText, networkOf } from '../../model/cidr.ts'
import type { Picture } from '../../model/dump.ts'
import type { Evidence } from '../../model/trouble.ts'
import { isUp, type Seen, seenOf, shown, tunnelName, tunnelOf } from './ground.ts'
import { flannelMismatch, misassigned } from './networks.ts'
import { odd } from './tunnel.ts'

const envFile = '/run/flannel/subnet.env'

interface NotReady {
  readonly why: string
  readonly evidence: Evidence[]
  /** It never finished, so no pod can get a network; else what it made is still there. */
  readonly never: boolean
}

/** Why flannel does not work on a node; null where it does, or where nothing tells. */
export function notReady(picture: Picture, { name, view, api }: Seen): NotReady | null {
  const evidence: Evidence[] = []
  const reasons: string[] = []
  if (view.flannelEnv === null && !('flannel-env' in view.dump.problems)) {
    reasons.push('it never wrote its subnet')
    evidence.push(shown(name, `cat ${envFile}`, 'No such file or directory'))
  }
  const pods = flannelPods(picture)
  const own = pods.filter((pod) => pod.node === name && !pod.leaving)
  if (api && pods.length > 0 && !own.some((pod) => pod.ready)) {
    const waiting = own.flatMap(({ containers }) => containers.flatMap((it) => it.waiting ?? it.ended ?? []))[0]
    reasons.push(own.length === 0 ? 'it has no pod there' : `its pod is not ready${waiting ? ` (${waiting})` : ''}`)
    const namespace = pods[0]!.namespace
    evidence.push({
      source: `kubectl -n ${namespace} get pods -o wide --field-selector spec.nodeName=${name}`,
      line: own[0] ? `${own[0].name} ${own[0].phase} ready=false${waiting ? ` ${waiting}` : ''}` : 'No resources found',
    })
  }
  return reasons.length > 0 ? { why: reasons.join(', '), evidence, never: view.flannelEnv === null } : null
}

function flannelPods({ cluster }: Picture) {
  const namespace = cluster?.configs.flannel?.namespace
  return (cluster?.pods ?? []).filter(
    (pod) =>
      pod.namespace === namespace && pod.hostNetwork && (pod.labels.app === 'flannel' || /flannel/.test(pod.name)),
  )
}

/** Did flannel write another subnet than the node has? */
export function envStale({ view, cidr }: Seen): boolean {
  const subnet = networkOf(view.flannelEnv?.get('FLANNEL_SUBNET') ?? '')
  return cidr !== undefined && subnet !== null && cidrText(subnet) !== cidrText(cidr)
}

/** Is the tunnel device of the node missing, down or without an address? The kernel has then removed its routes and neighbours too. */
export function tunnelBroken(picture: Picture, member: Seen): boolean {
  const tunnel = tunnelOf(picture, member)
  if (!tunnelName(picture, member.lease)) return false
  return !tunnel || !isUp(tunnel) || !tunnel.addresses.some(({ family }) => family === 4)
}

/** Was the tunnel device made anew with something that the others do not have? Its tables were lost then. */
export function remade(picture: Picture, { name }: Seen): boolean {
  return [...odd(picture, 'id'), ...odd(picture, 'port')].some(({ member }) => member.name === name)
}

export function each(picture: Picture, find: (member: Seen) => Finding | null): Finding[] {
  return seenOf(picture).flatMap((member) => (member.cidr ? (find(member) ?? []) : []))
}

export const flannelNotReady: Cause = {
  code: 'FLANNEL_NOT_READY',
  because:
    'flannel has to run on every node: it writes /run/flannel/subnet.env, without which no pod gets a network, and keeps the routes to the other nodes. Its log names what it could not do.',
  shows: 'kubectl -n kube-flannel logs ds/kube-flannel-ds; cat /run/flannel/subnet.env',
  fix: 'Mend the first error in the log of its pod on this node.',
  needs: 'flannel',
  find: (picture) =>
    each(picture, (member) => {
      const { name } = member
      const trouble = notReady(picture, member)
      if (!trouble || (flannelMismatch(picture) && trouble.never)) return null
      // that it stopped is not the reason why its device is not as it made it
      if (!trouble.never && (tunnelBroken(picture, member) || remade(picture, member))) return null
      return {
        where: name,
        message: `flannel does not work on ${name}: ${trouble.why}`,
        evidence: trouble.evidence,
        breaks: { nodes: [name], ...(!trouble.never && { acrossOnly: true }) },
      }
    }),
}

export const flannelEnvStale: Cause = {
  code: 'FLANNEL_ENV_STALE',
  because:
    "flannel's plugin gives pods addresses out of the subnet in /run/flannel/subnet.env, and all other nodes route the podCIDR of the Node object. A node that joined anew without a restart of flannel has two different ones.",
  shows: 'cat /run/flannel/subnet.env',
  fix: 'Restart flannel on the node (delete its pod); then make its pods and cni0 anew: drain it, ip link del cni0, uncordon it.',
  needs: 'flannel',
  find: (picture) =>
    each(picture, (member) => {
      const { name, view, cidr } = member
      const subnet = view.flannelEnv?.get('FLANNEL_SUBNET')
      if (!cidr || !envStale(member) || misassigned(picture).has(name)) return null
      return {
        where: name,
        message: `flannel on ${name} works with the subnet ${subnet}, the podCIDR of the node is ${cidrText(cidr)}`,
        evidence: [
          shown(name, `cat ${envFile}`, `FLANNEL_SUBNET=${subnet}`),
          { source: `kubectl get node ${name} -o yaml`, line: `spec.podCIDR: ${cidrText(cidr)}` },
        ],
        breaks: { nodes: [name] },
      }
    }),
}
