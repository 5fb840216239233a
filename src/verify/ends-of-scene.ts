import type { Host } from '../model/inventory.ts'
import type { Draft, Scene } from './case.ts'
import { podB, services } from './manifests.ts'

export const streams = ['tcp', 'udp'] as const
/** Of more endpoints than this, so many have to answer. */
const mostEndpoints = 50

/** The ordered pairs of hosts that are tried. */
export function pairsOf({ inventory: { hosts }, pairs }: Scene): [Host, Host][] {
  return hosts.flatMap((from) =>
    hosts.filter((to) => pairs?.has(from.name, to.name) ?? true).map((to): [Host, Host] => [from, to]),
  )
}

/** A probe pod's IPv4 address. */
export function ipOf(scene: Scene, pod: string): string | undefined {
  const found = probePod(scene, pod)
  return [found?.ip, ...(found?.otherIps ?? [])].find((ip) => ip !== undefined && !ip.includes(':'))
}

/** Why a probe pod has none. */
export function noIp(scene: Scene, pod: string): string {
  return probePod(scene, pod)?.ip ? `${pod} has no IPv4 address` : `${pod} has no IP`
}

export function probePod({ state, namespace }: Scene, name: string) {
  return state.pods.find((it) => it.namespace === namespace && it.name === name)
}

export function sourceOf(scene: Scene, pod: string): { source?: string } {
  const ip = ipOf(scene, pod)
  return ip ? { source: ip } : {}
}

export function serviceOf({ state }: Scene, namespace: string, name: string) {
  return state.services.find((it) => it.namespace === namespace && it.name === name)
}

/** A Service's IPv4 ClusterIP. */
export function clusterIPOf(scene: Scene, namespace: string, name: string): string | undefined {
  const ip = serviceOf(scene, namespace, name)?.clusterIP
  return ip !== undefined && /^[0-9.]+$/.test(ip) ? ip : undefined
}

/** One of the Services of the full level; without an address, nothing. */
export function ownService(scene: Scene, name: keyof typeof services) {
  const ip = clusterIPOf(scene, scene.namespace, services[name])
  return ip === undefined ? undefined : serviceOf(scene, scene.namespace, services[name])
}

/** The probe that connects to a Service until all its endpoints, every pod b, have answered. */
export function allEndpoints(
  { running }: Scene,
  protocol: 'tcp' | 'udp',
  ip: string | undefined,
  port: number | undefined,
): Pick<Draft, 'probes' | 'skip'> {
  if (!ip || !port) return { skip: 'the probe Service has no IPv4 address' }
  const names = [...running].map(podB).sort()
  if (names.length === 0) return { skip: 'no probe server runs' }
  const want = Math.min(names.length, mostEndpoints)
  const expect = { what: 'endpoints' as const, names, ...(want < names.length && { want }) }
  return { probes: [{ kind: `svc${protocol}`, ip, port, arg: want, expect }] }
}

/** A node whose pod b stands behind the Services though no server of ours answers there: whoever is led to it gets nothing. */
export function silentNode({ state, namespace, running }: Scene): string | undefined {
  const ends = state.pods.filter((pod) => pod.namespace === namespace && pod.name === podB(pod.node) && pod.ready)
  return ends.find(({ node }) => !running.has(node))?.node
}

/** The node of the first, the second and the last of the pods of which there is one each. */
export function nodeWith({ state, namespace }: Scene, letter: 'u' | 'v' | 'p'): string | undefined {
  return state.pods.find((pod) => pod.namespace === namespace && pod.name.startsWith(`${letter}-`))?.node
}
