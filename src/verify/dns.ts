import { type Draft, type Scene, way } from './case.ts'
import { clusterIPOf, ipOf, nodeWith, serviceOf, sourceOf, streams } from './ends-of-scene.ts'
import { firstHostname, podA, podB, serviceName, services } from './manifests.ts'
import type { Probe } from './probe.ts'

/** More addresses do not fit a UDP answer. */
const mostInUdp = 20
/** As long as a C library waits for a first answer and then for a second one. */
const patience = 7
/** An answer that comes after this long came to a second question. */
const lateSeconds = 6

type Question = { readonly name: string; readonly ip: string; readonly optional?: string }

/** Every DNS server of the cluster from every node over UDP and TCP; in the full level also as a pod's C library asks. */
export function dns(scene: Scene): Draft[] {
  const { inventory, state } = scene
  const server = serviceOf(scene, 'kube-system', 'kube-dns')
  const pods = state.pods.filter((pod) => pod.namespace === 'kube-system' && pod.app === 'kube-dns')
  const ready = pods.filter((pod) => pod.ready && !pod.leaving && pod.ip)
  const targets = [
    ...(server ? [{ name: 'kube-dns', ip: server.clusterIP }] : []),
    ...ready.map((pod) => ({ name: pod.name, ip: pod.ip as string })),
  ]
  const nobody = {
    code: 'DNS_NO_ENDPOINTS' as const,
    evidence: `kubectl -n kube-system get pods -l k8s-app=kube-dns: ${pods.length === 0 ? 'none' : pods.map((pod) => `${pod.name} ${pod.leaving ? 'Terminating' : `${pod.phase}, not ready`}`).join('; ')}`,
  }
  return inventory.hosts.flatMap(({ name: node }) => {
    const draft = { ...sourceOf(scene, podA(node)), place: 'a' as const }
    const asked = (targets.length > 0 ? targets : [{ name: 'kube-dns', ip: '' }]).flatMap((target) =>
      streams.map((protocol) => ({
        ...way('dns', node, target.name, protocol),
        ...draft,
        ...(ready.length === 0 ? { verdict: nobody } : asking(scene, target, protocol)),
      })),
    )
    const resolver = { ...way('dns', node, 'resolver', 'udp'), ...draft, needs: `dns/${node}/kube-dns/udp` }
    if (!scene.full || ready.length === 0) return asked
    return [...asked, { ...resolver, ...resolving(scene, scene.full.resolv.get(node) ?? []) }]
  })
}

function asking(scene: Scene, { name, ip }: { readonly name: string; readonly ip: string }, protocol: 'tcp' | 'udp') {
  if (ip.includes(':')) return { skip: `${name} has no IPv4 address` }
  return { probes: questions(scene, protocol).map((question) => probeOf(ip, protocol, question, scene)) }
}

/** Names and what they stand for: of Services; in the full level also of pods, headless and external. */
function questions(scene: Scene, protocol: 'tcp' | 'udp'): Question[] {
  const { inventory, namespace, state, full } = scene
  const domain = `svc.${inventory.cluster.dnsDomain}`
  const clusterIP = (space: string, name: string) => clusterIPOf(scene, space, name)
  const found: [string, string | undefined, string?][] = [
    [`kubernetes.default.${domain}`, clusterIP('default', 'kubernetes')],
    [`${serviceName}.${namespace}.${domain}`, clusterIP(namespace, serviceName)],
  ]
  if (full) {
    const ends = state.pods.filter((pod) => pod.namespace === namespace && pod.name.startsWith('b-') && pod.ready)
    const ips = ends.flatMap(({ name }) => ipOf(scene, name) ?? []).sort()
    const first = nodeWith(scene, 'u')
    const ip = first && ipOf(scene, podB(first))
    const headless = `${services.headless}.${namespace}.${domain}`
    found.push(
      [headless, protocol === 'tcp' || ips.length <= mostInUdp ? ips.join(',') : undefined],
      [`${firstHostname}.${headless}`, ip],
      [`${services.elsewhere}.${namespace}.${domain}`, clusterIP('default', 'kubernetes')],
      [
        `${ip?.replaceAll('.', '-')}.${namespace}.pod.${inventory.cluster.dnsDomain}`,
        ip,
        'the Corefile has no `pods`, so pods have no names by their IP',
      ],
    )
  }
  return found.flatMap(([name, ip, optional]) => (ip ? [{ name, ip, ...(optional && { optional }) }] : []))
}

function probeOf(ip: string, protocol: 'tcp' | 'udp', { name, ...address }: Question, scene: Scene): Omit<Probe, 'id'> {
  const late = scene.full ? { again: lateSeconds } : {}
  return { kind: `dns${protocol}`, ip, port: 53, arg: name, ...late, expect: { what: 'address', ...address } }
}

/** Short names by the search list of the pod's own resolv.conf, asked of the server that it names. */
function resolving(scene: Scene, lines: readonly string[]): Pick<Draft, 'probes' | 'skip'> {
  const words = (key: string) => lines.map((line) => line.split(/\s+/)).findLast(([first]) => first === key) ?? []
  const server = lines.find((line) => /^nameserver\s/.test(line))?.split(/\s+/)[1]
  const search = words('search').slice(1)
  const dots = Number(/^ndots:(\d+)$/.exec(words('options').find((word) => word.startsWith('ndots:')) ?? '')?.[1] ?? 1)
  if (!server || server.includes(':')) return { skip: 'resolv.conf of the probe pod names no IPv4 server' }
  const short = [
    ['kubernetes.default', clusterIPOf(scene, 'default', 'kubernetes')],
    [serviceName, clusterIPOf(scene, scene.namespace, serviceName)],
  ] as const
  return {
    probes: short.flatMap(([name, ip]) => {
      const longer = search.map((suffix) => `${name}.${suffix}`)
      const order = name.split('.').length - 1 >= dots ? [name, ...longer] : [...longer, name]
      const expect = { what: 'address' as const, ip: ip ?? '' }
      return ip
        ? [{ kind: 'search' as const, ip: server, port: 53, arg: order.join(','), seconds: patience, expect }]
        : []
    }),
  }
}
