import type { Action } from '../../model/action.ts'
import type { Cause, Finding } from '../../model/cause.ts'
import type { ApiPod, ApiService } from '../../model/dump.ts'
import { groupBy } from '../../model/group.ts'
import { isProbe } from '../../model/probes.ts'
import { sh } from '../../model/shell.ts'
import { counted } from '../../model/words.ts'
import { isV4, onNodes, shown, some, spotsOf } from '../host/tools.ts'
import { serviceKey } from './rules.ts'
import { isDns, nameOf, scenariosOf, type Wanted, wantedOf } from './wanted.ts'

export const udpConntrackStale: Cause = {
  code: 'UDP_CONNTRACK_STALE',
  because:
    'The node remembers a UDP connection to a Service together with the endpoint that it chose, and that endpoint is gone. As long as the client goes on sending from the same port, its packets go to nobody.',
  shows: 'conntrack -L -p udp',
  fix: 'Delete the entries: conntrack -D -p udp --orig-dst SERVICE-IP; restart kube-proxy on the node, which should have done it.',
  find: (picture) => {
    const byKey = new Map<string, Wanted>()
    const hosts = [...spotsOf(picture).values()].flatMap(({ ip }) => ip ?? [])
    for (const wanted of wantedOf(picture).filter(({ port }) => port.protocol === 'udp')) {
      byKey.set(wanted.key, wanted)
      if (wanted.port.nodePort) for (const ip of hosts) byKey.set(serviceKey(ip, 'udp', wanted.port.nodePort), wanted)
    }
    if (byKey.size === 0) return []
    const alive = new Set(picture.cluster?.pods.flatMap(({ ips }) => ips))
    return onNodes(picture, (node) => {
      const stale = node.flows.flatMap((flow) => {
        const wanted = flow.protocol === 'udp' ? byKey.get(serviceKey(flow.to, 'udp', flow.port)) : undefined
        if (!wanted || flow.replyFrom === flow.to || alive.has(flow.replyFrom)) return []
        // the last verification is over, and its Service is on its way out too
        if (wanted.endpoints.length === 0 && isProbe(wanted.service)) return []
        const known = wanted.endpoints.some(({ to }) => to.startsWith(`${flow.replyFrom}:`))
        return known ? [] : [{ flow, service: wanted.service }]
      })
      const first = stale[0]
      if (!first) return null
      const services = [...new Set(stale.map(({ service }) => service))]
      return {
        where: node.node,
        message: `${node.node} keeps ${counted(stale.length, 'UDP connection')} for ${some(services.map(nameOf))} to ${first.flow.replyFrom}, which is no endpoint any more`,
        evidence: stale.slice(0, 3).map(({ flow }) => shown('conntrack -L -p udp', flow.line.trim())),
        breaks: {
          scenarios: ['udp-endpoint-gone', ...scenariosOf(services)],
          nodes: [node.node],
          protocols: ['udp'],
        },
      }
    })
  },
}

export const serviceNoEndpoints: Cause = {
  code: 'SERVICE_NO_ENDPOINTS',
  because:
    'A Service with a selector has no ready endpoint: no pod fits its selector, or none that fits is ready. Whoever connects to it is refused, and the name of a headless one stands for nothing.',
  shows: 'kubectl get endpointslices -A',
  fix: 'Compare the selector of the Service with the labels of the pods (kubectl get pods --show-labels), and see why its pods are not ready.',
  find: ({ cluster }) => {
    if (!cluster) return []
    const slices = groupBy(cluster.slices, ({ namespace, service }) => `${namespace}/${service}`)
    const pods = groupBy(cluster.pods, ({ namespace }) => namespace)
    return cluster.services.flatMap((service): Finding[] => {
      if (!service.selector || Object.keys(service.selector).length === 0) return []
      if (service.type === 'ExternalName' || isDns(service) || isProbe(service)) return []
      const endpoints = slices.get(nameOf(service))?.flatMap((slice) => slice.endpoints) ?? []
      // those that are leaving still serve until there are others
      if (endpoints.some(({ ready, serving }) => ready || serving)) return []
      const fitting = (pods.get(service.namespace) ?? []).filter((pod) => fits(pod, service))
      const ready = fitting.filter((pod) => pod.ready && !pod.leaving && pod.ips.some(isV4))
      return [noEndpoints(service, fitting.length, ready)]
    })
  },
}

function noEndpoints(service: ApiService, fitting: number, ready: readonly ApiPod[]): Finding {
  const selector = Object.entries(service.selector ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  const why =
    ready.length > 0
      ? `although ${some(ready.map(({ name }) => name))} fit and are ready: the controller manager does not keep EndpointSlices up to date`
      : fitting > 0
        ? `none of the ${fitting} pods with ${selector} is ready`
        : `no pod has ${selector}`
  return {
    where: nameOf(service),
    message: `Service ${nameOf(service)} has no ready endpoint, ${why}`,
    evidence: [
      shown(
        `kubectl -n ${service.namespace} get pods -l ${selector}`,
        ready[0]
          ? `${ready[0].name} Running, ready`
          : fitting > 0
            ? `${fitting} pods, none ready`
            : 'No resources found',
      ),
      shown(
        `kubectl -n ${service.namespace} get endpointslices -l kubernetes.io/service-name=${service.name}`,
        '(no ready endpoint)',
      ),
    ],
    breaks: ready.length > 0 ? { scenarios: scenariosOf([service]) } : { nodes: [] },
    ...(ready.length === 0 && { level: 'warning' as const }),
  }
}

const fits = ({ labels, phase }: ApiPod, { selector = {} }: ApiService): boolean =>
  phase !== 'Succeeded' && phase !== 'Failed' && Object.entries(selector).every(([key, value]) => labels[key] === value)

export const hairpinOff: Cause = {
  code: 'HAIRPIN_OFF',
  because:
    'A bridge does not send a packet out of the port that it came in by, unless that port is in hairpin mode. A pod that its own Service leads back to itself does not get its own packet.',
  shows: 'bridge -d link show',
  fix: 'Set hairpinMode to true in the CNI configuration (cni-conf.json of kube-flannel-cfg), and recreate the pods.',
  find: (picture) =>
    onNodes(picture, (node) => {
      const bridge = node.links.find(({ name, kind }) => name === 'cni0' && kind === 'bridge')
      // the other way to do it: the bridge itself takes everything
      if (!bridge || bridge.flags.includes('PROMISC')) return null
      const ports = node.links.filter(({ master, port, kind }) => master === bridge.name && port && kind === 'veth')
      const off = ports.filter(({ port }) => port && !port.hairpin)
      if (off.length === 0) return null
      return {
        where: node.node,
        message: `${off.length} of ${ports.length} ports of ${bridge.name} on ${node.node} are not in hairpin mode: ${some(off.map(({ name }) => name))}`,
        evidence: off
          .slice(0, 3)
          .map(({ name }) => shown(`bridge -d link show dev ${name}`, `${name} master ${bridge.name} hairpin off`)),
        breaks: { scenarios: ['hairpin'], nodes: [node.node] },
        remedy: [{ node: node.node, actions: off.map(({ name }) => hairpinOn(name)) }],
      }
    }),
}

function hairpinOn(port: string): Action {
  return { ...setHairpin(port, 'on'), undo: [{ ...setHairpin(port, 'off'), undo: 'nothing' }] }
}

function setHairpin(port: string, to: 'on' | 'off') {
  return {
    kind: 'exec',
    summary: `hairpin mode of ${port} ${to}`,
    command: sh`bridge link set dev ${port} hairpin ${to}`,
    timeoutSeconds: 10,
  } as const
}
