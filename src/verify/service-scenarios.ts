import { type Draft, type Scene, way } from './case.ts'
import {
  allEndpoints,
  clusterIPOf,
  ipOf,
  nodeWith,
  ownService,
  pairsOf,
  silentNode,
  sourceOf,
  streams,
} from './ends-of-scene.ts'
import { podA, podB, probePort, serviceName } from './manifests.ts'

/** Connections per endpoint, and at most in all, that shares are counted over. */
const perEndpoint = 100
const mostConnections = 600
const atOnce = 16
/** A machine under load takes its time; a connection that gets no answer is one that got none for two seconds. */
const countSeconds = 8
/** All shares of a run together are found uneven by chance less often than this. */
const falseAlarm = 1e-6
const sameConnections = 20
const silentSeconds = 0.8

const noServer = (node: string): string => `no server answers at the endpoint on ${node}`

/** Every endpoint of a Service gets its share, and the server sees the pod itself. */
export function spread(scene: Scene): Draft[] {
  const ip = clusterIPOf(scene, scene.namespace, serviceName)
  const names = [...scene.running].map(podB).sort()
  const alpha = falseAlarm / (2 * scene.inventory.hosts.length)
  const silent = silentNode(scene)
  return scene.inventory.hosts.flatMap(({ name: node }) =>
    streams.map((protocol): Draft => {
      const seen = ipOf(scene, podA(node))
      const draft = {
        ...way('spread', node, serviceName, protocol),
        ...sourceOf(scene, podA(node)),
        place: 'a' as const,
      }
      if (!ip || names.length === 0) return { ...draft, skip: 'the probe Service has no IPv4 address or no server' }
      if (silent) return { ...draft, server: silent, skip: noServer(silent) }
      const arg = `${Math.min(perEndpoint * names.length, mostConnections)},${atOnce}`
      const expect = { what: 'shares' as const, names, alpha, ...(seen && { seen }) }
      const needs = `pod-to-service/${node}/${serviceName}/${protocol}`
      return {
        ...draft,
        needs,
        probes: [{ kind: `spread${protocol}`, ip, port: probePort, arg, seconds: countSeconds, expect }],
      }
    }),
  )
}

/** A client of a Service with sessionAffinity ClientIP stays with one endpoint. */
export function affinity(scene: Scene): Draft[] {
  const ip = ownService(scene, 'affinity')?.clusterIP
  const silent = silentNode(scene)
  return scene.inventory.hosts.flatMap(({ name: node }) =>
    streams.map((protocol): Draft => {
      const draft = {
        ...way('affinity', node, 'affinity', protocol),
        ...sourceOf(scene, podA(node)),
        place: 'a' as const,
      }
      if (!ip) return { ...draft, skip: 'the Service has no IPv4 address' }
      if (silent) return { ...draft, server: silent, skip: noServer(silent) }
      if (scene.running.size < 2) return { ...draft, skip: 'it takes two endpoints to tell' }
      const needs = `pod-to-service/${node}/${serviceName}/${protocol}`
      const arg = `${sameConnections},1`
      const expect = { what: 'same' as const }
      return {
        ...draft,
        needs,
        probes: [{ kind: `spread${protocol}`, ip, port: probePort, arg, seconds: countSeconds, expect }],
      }
    }),
  )
}

/** A node reaches a Service at its ClusterIP with all endpoints, and at its own NodePort and those of the others. */
export function nodeToService(scene: Scene): Draft[] {
  const ip = clusterIPOf(scene, scene.namespace, serviceName)
  const ports = ownService(scene, 'one')?.nodePorts
  const server = nodeWith(scene, 'u')
  const host = { place: 'host' as const }
  const clusterIP = scene.inventory.hosts.flatMap(({ name: node, nodeIP }) =>
    streams.map(
      (protocol): Draft => ({
        ...way('node-to-service', node, serviceName, protocol),
        ...host,
        source: nodeIP,
        ...allEndpoints(scene, protocol, ip, probePort),
      }),
    ),
  )
  const nodePorts = pairsOf(scene).flatMap(([from, to]) =>
    streams.map((protocol): Draft => {
      const draft = { ...way('node-to-service', from.name, to.name, protocol), ...host, source: from.nodeIP }
      const port = ports?.get(protocol)
      if (!port || !server) return { ...draft, skip: 'the Service has no NodePort' }
      const deviation = 'kube-proxy translates the source of NodePorts with externalTrafficPolicy Cluster'
      const expect = { what: 'server' as const, name: podB(server), ideal: from.nodeIP }
      return { ...draft, server, deviation, probes: [{ kind: `try${protocol}`, ip: to.nodeIP, port, expect }] }
    }),
  )
  return [...clusterIP, ...nodePorts]
}

/** A pod reaches itself through a Service of which it is the endpoint. */
export function hairpin(scene: Scene): Draft[] {
  const ip = ownService(scene, 'local')?.clusterIP
  return scene.inventory.hosts.flatMap(({ name: node }) =>
    streams.map((protocol): Draft => {
      const itself = ipOf(scene, podB(node))
      const from = podB(node)
      const draft = { ...way('hairpin', node, from, protocol), from, ...sourceOf(scene, from), place: 'b' as const }
      if (!ip || !itself) return { ...draft, skip: 'the Service or the pod has no IPv4 address' }
      const deviation = 'kube-proxy translates the source, or the answer would not come back by the Service'
      const expect = { what: 'server' as const, name: from, ideal: itself }
      return { ...draft, server: node, deviation, probes: [{ kind: `try${protocol}`, ip, port: probePort, expect }] }
    }),
  )
}

/** externalTrafficPolicy Local: the node with the endpoint shows it the client, the others do not answer. */
export function trafficPolicy(scene: Scene): Draft[] {
  const ports = ownService(scene, 'edge')?.nodePorts
  const server = nodeWith(scene, 'u')
  const there = scene.inventory.hosts.find(({ name }) => name === server)
  const cidr = scene.state.nodes.find(({ name }) => name === server)?.podCIDR ?? ''
  const base = cidr.split('/')[0]?.replace(/\.\d+$/, '')
  const [only] = scene.inventory.hosts
  if (only && scene.inventory.hosts.length === 1) {
    const skip = 'there is no other node to try it from'
    return [{ ...way('traffic-policy', only.name, only.name, 'tcp'), from: 'outside', place: 'host', skip }]
  }
  return pairsOf(scene).flatMap(([from, to]) =>
    streams.flatMap((protocol): Draft[] => {
      const port = ports?.get(protocol)
      const draft = {
        ...way('traffic-policy', from.name, to.name, protocol),
        place: 'host' as const,
        source: from.nodeIP,
      }
      // A node is no outside client of itself: kube-proxy leads it to any endpoint.
      if (from === to) return []
      if (!port || !server || !there) return [{ ...draft, skip: 'the Service has no NodePort' }]
      const at = { ip: to.nodeIP, port }
      if (to.name !== server) {
        const probe = { kind: protocol, ...at, seconds: silentSeconds, expect: { what: 'silence' as const } }
        return [{ ...draft, server: to.name, probes: [probe] }]
      }
      const hidden = [there.nodeIP, `${base}.0`, `${base}.1`]
      const expect = { what: 'server' as const, name: podB(server), hidden }
      return [{ ...draft, server, probes: [{ kind: `try${protocol}`, ...at, expect }] }]
    }),
  )
}
