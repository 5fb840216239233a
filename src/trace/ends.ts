import { ipv4First, isIp } from '../model/cidr.ts'
import type { ApiPod, ApiService, Picture, PodNet } from '../model/dump.ts'
import { distance } from '../model/nearest.ts'
import type { End } from '../model/trace.ts'
import { exits, Failure } from '../model/trouble.ts'
import type { Names } from './names.ts'

export type Protocol = 'tcp' | 'udp' | 'icmp'

/** An end as it was asked for, and what is known of it. */
export interface Target {
  readonly end: End
  /** Of a pod with a network namespace of its own; absent for host-network pods and where the node was not read. */
  readonly pod?: PodNet
  readonly port: number
  readonly protocol: Protocol
}

/** What a user wrote: default/web:http/udp -> the name, the port or its name, the protocol. */
function parts(text: string): { name: string; port: string; protocol: Protocol | undefined } {
  if (isIp(text)) return { name: text, port: '', protocol: undefined }
  const found = /^(.*?)(?::([\w-]+))?(?:\/(tcp|udp|icmp))?$/.exec(text.trim())
  return { name: found?.[1] ?? '', port: found?.[2] ?? '', protocol: found?.[3] as Protocol | undefined }
}

/** Where a packet begins: a pod, a node, or an address. Throws a Failure END_UNKNOWN that lists what could be meant. */
export function sourceEnd(picture: Picture, names: Names, text: string): Target {
  const found = candidates(picture, names, parts(text).name).filter(({ end }) => end.kind !== 'service')
  return only(picture, text, found)
}

/** Where a packet goes to; the port is the one named, or the only one there is. */
export function targetEnd(picture: Picture, names: Names, text: string): Target {
  const { name, port, protocol } = parts(text)
  const found = only(picture, text, candidates(picture, names, name))
  if (found.service) return servicePort(text, found.end, found.service, port, protocol)
  if (port && !/^\d+$/.test(port)) {
    const named = found.api?.containers.flatMap(({ ports }) => ports).find((one) => one.name === port)
    if (!named) throw unknown(`${text}: no container of it names a port ${port}`, [])
    return { ...found, port: named.port, protocol: protocol ?? lower(named.protocol) }
  }
  const wanted = Number(port)
  if (port && (wanted < 1 || wanted > 65535)) throw unknown(`${text}: ${port} is no port`, [])
  const nodePort = found.end.kind === 'node' && serviceOfNodePort(picture, wanted)
  if (nodePort)
    return {
      ...found,
      end: { ...found.end, kind: 'nodeport' },
      port: wanted,
      protocol: protocol ?? lower(nodePort.protocol),
    }
  const declared = found.api?.containers
    .flatMap(({ ports }) => ports)
    .find((one) => !protocol || lower(one.protocol) === protocol)
  const usual = found.end.kind === 'node' ? 10250 : (declared?.port ?? 80)
  return { ...found, port: protocol === 'icmp' ? 0 : wanted || usual, protocol: protocol ?? 'tcp' }
}

type Candidate = Target & { readonly says: string; readonly api?: ApiPod; readonly service?: ApiService }

/** Everything that the name could mean. */
function candidates(picture: Picture, names: Names, name: string): Candidate[] {
  if (name.includes(':') && isIp(name)) throw unknown(`${name}: only IPv4 is followed`, [], 'name an IPv4 address')
  if (isIp(name)) return [byAddress(picture, names, name)]
  const { cluster } = picture
  const [first = '', second, third] = name.split('/')
  const pods = (namespace: string, pod: string) =>
    (cluster?.pods ?? [])
      .filter((one) => one.namespace === namespace && one.name === pod)
      .map((one) => ofPod(names, one))
  const services = (namespace: string, service: string) =>
    (cluster?.services ?? []).filter((one) => one.namespace === namespace && one.name === service).map(ofService)
  const nodes = (node: string) => (nodeIp(picture, node) === undefined ? [] : [ofNode(picture, node)])
  if (first === 'svc' && second !== undefined)
    return third === undefined ? services('default', second) : services(second, third)
  if (first === 'node' && second !== undefined && third === undefined)
    return [...nodes(second), ...pods('node', second)]
  if (second === undefined) {
    const both = [...pods('default', first), ...nodes(first)]
    return both.length > 0 ? both : services('default', first)
  }
  const found = third === undefined ? pods(first, second) : []
  return found.length > 0 || third !== undefined ? found : services(first, second)
}

function ofPod(names: Names, api: ApiPod): Candidate {
  const name = `${api.namespace}/${api.name}`
  const ip = ipv4First(api.ips) ?? ''
  const pod = api.hostNetwork ? undefined : names.pods.get(ip)?.pod
  return {
    says: name,
    api,
    end: { kind: 'pod', name, ip, node: api.node },
    ...(pod && { pod }),
    port: 0,
    protocol: 'tcp',
  }
}

function ofService(service: ApiService): Candidate {
  const name = `${service.namespace}/${service.name}`
  return {
    says: `svc/${name}`,
    service,
    end: { kind: 'service', name, ip: ipv4First(service.clusterIPs) ?? '' },
    port: 0,
    protocol: 'tcp',
  }
}

function ofNode(picture: Picture, name: string): Candidate {
  return {
    says: `node/${name}`,
    end: { kind: 'node', name, ip: nodeIp(picture, name) ?? '', node: name },
    port: 0,
    protocol: 'tcp',
  }
}

/** The InternalIP; without an API the first address of the device of the default route. */
function nodeIp(picture: Picture, name: string): string | undefined {
  const internal = picture.cluster?.nodes.find((node) => node.name === name)?.internalIPs
  const view = picture.nodes.get(name)
  if (internal?.length || !view) return internal && (ipv4First(internal) ?? '')
  const dev = view.routes.find(({ to, table }) => to === '0.0.0.0/0' && table === 'main')?.dev
  return view.links.find((link) => link.name === dev)?.addresses.find(({ family }) => family === 4)?.ip ?? ''
}

function byAddress(picture: Picture, names: Names, ip: string): Candidate {
  const api = names.apiPods.get(ip)
  if (api) return ofPod(names, api)
  const at = names.pods.get(ip)
  if (at) return { says: ip, end: { kind: 'pod', name: ip, ip, node: at.node }, pod: at.pod, port: 0, protocol: 'tcp' }
  const host = names.hosts.get(ip)
  if (host) return { ...ofNode(picture, host.node), end: { kind: 'node', name: host.node, ip, node: host.node } }
  const service = names.services.get(ip)
  if (service) return { ...ofService(service), end: { ...ofService(service).end, ip } }
  return { says: ip, end: { kind: 'ip', name: ip, ip }, port: 0, protocol: 'tcp' }
}

function serviceOfNodePort(picture: Picture, port: number) {
  return picture.cluster?.services.flatMap(({ ports }) => ports).find(({ nodePort }) => port > 0 && nodePort === port)
}

function servicePort(text: string, end: End, service: ApiService, port: string, protocol?: Protocol): Target {
  if (!isIp(end.ip)) {
    const why =
      service.type === 'ExternalName'
        ? `is only a name for ${service.externalName}`
        : 'is headless: its name stands for its pods'
    throw unknown(`${text} ${why}`, [], 'name a pod')
  }
  const fits = service.ports.filter((one) => !protocol || lower(one.protocol) === protocol)
  const found = port ? fits.filter((one) => one.name === port || String(one.port) === port) : fits
  const tcp =
    found.length > 1 && found.every((one) => one.port === found[0]!.port)
      ? found.filter((one) => lower(one.protocol) === 'tcp')
      : found
  const [one] = tcp
  if (tcp.length === 1 && one) return { end, port: one.port, protocol: lower(one.protocol) }
  if (/^\d+$/.test(port) && found.length === 0) return { end, port: Number(port), protocol: protocol ?? 'tcp' }
  throw unknown(
    port ? `${text}: the Service has no port ${port}` : `${text}: which port?`,
    service.ports.map((one) => `svc/${end.name}:${one.port}/${lower(one.protocol)}${one.name ? ` (${one.name})` : ''}`),
  )
}

const lower = (protocol: string): Protocol => protocol.toLowerCase() as Protocol

function only(picture: Picture, text: string, found: readonly Candidate[]): Candidate {
  const [one] = found
  if (one?.end.ip.includes(':'))
    throw unknown(
      `${text} has only the address ${one.end.ip}: only IPv4 is followed`,
      [],
      'name something with an IPv4 address',
    )
  if (found.length === 1 && one) return one
  if (found.length > 1)
    throw unknown(
      `${text} could mean several things`,
      found.map(({ says }) => says),
    )
  const why = picture.cluster ? '' : ', and the API server did not say what pods there are: name an address or a node'
  throw unknown(`the cluster has nothing called ${text}${why}`, similar(picture, parts(text).name))
}

/** The names nearest to what was asked for: those that hold it, then those that begin or are spelt most like it. */
function similar(picture: Picture, name: string): string[] {
  const last = name.split('/').at(-1) ?? ''
  const all = [
    ...(picture.cluster?.pods ?? []).map((pod) => `${pod.namespace}/${pod.name}`),
    ...(picture.cluster?.services ?? []).map((service) => `svc/${service.namespace}/${service.name}`),
    ...[...picture.nodes.keys()].map((node) => `node/${node}`),
  ]
  const far = (one: string): number => {
    const its = one.split('/').at(-1)!
    if (last.length > 1 && its.includes(last)) return -1
    return Math.min(distance(last, its), distance(last, its.slice(0, last.length)))
  }
  return all
    .map((one) => ({ one, far: far(one) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 8)
    .map(({ one }) => one)
}

function unknown(message: string, candidates: readonly string[], fix?: string): Failure {
  return new Failure(exits.badInput, {
    code: 'END_UNKNOWN',
    message,
    fix:
      candidates.length > 0
        ? `one of ${candidates.join(', ')}`
        : (fix ?? 'ns/pod, node/NAME, svc/ns/name:port, node/NAME:nodePort or an IP'),
  })
}
