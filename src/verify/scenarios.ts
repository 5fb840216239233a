import { leaderOf } from '../model/inventory.ts'
import type { Scenario } from '../model/report.ts'
import type { Draft, Scene } from './case.ts'
import { podA, podB, probePort, serviceName } from './pods.ts'

const streams = ['tcp', 'udp'] as const

export function containers({ inventory }: Scene): Draft[] {
  return inventory.hosts.flatMap(({ name: node }) =>
    streams.map((protocol) => ({
      ...at('containers', node, 'localhost', protocol),
      source: '127.0.0.1',
      place: 'a' as const,
      server: node,
      probes: [
        {
          kind: protocol,
          ip: '127.0.0.1',
          port: probePort,
          expect: { what: 'server', name: podA(node), seen: '127.0.0.1' },
        },
      ],
    })),
  )
}

export function podToPod(scene: Scene): Draft[] {
  return scene.inventory.hosts.flatMap(({ name: node }) =>
    scene.inventory.hosts.flatMap(({ name: to }) => {
      const source = ipOf(scene, podA(node))
      const ip = ipOf(scene, podB(to))
      return [...streams, 'icmp' as const].map((protocol): Draft => {
        const draft = { ...at('pod-to-pod', node, to, protocol), ...(source && { source }), place: 'a' as const }
        if (!ip) return { ...draft, skip: `${podB(to)} has no IP` }
        if (protocol === 'icmp') return { ...draft, probes: [{ kind: 'icmp', ip, expect: { what: 'answer' } }] }
        const expect = { what: 'server' as const, name: podB(to), ...(source && { seen: source }) }
        return { ...draft, server: to, probes: [{ kind: protocol, ip, port: probePort, expect }] }
      })
    }),
  )
}

export function podToService(scene: Scene): Draft[] {
  const ip = serviceOf(scene, scene.namespace, serviceName)?.clusterIP
  return scene.inventory.hosts.flatMap(({ name: node }) =>
    streams.map((protocol) => ({
      ...at('pod-to-service', node, serviceName, protocol),
      ...source(scene, podA(node)),
      place: 'a' as const,
      ...allEndpoints(scene, protocol, ip, probePort),
    })),
  )
}

export function dns(scene: Scene): Draft[] {
  const { inventory, state, namespace } = scene
  const server = serviceOf(scene, 'kube-system', 'kube-dns')
  const pods = state.pods.filter((pod) => pod.namespace === 'kube-system' && pod.app === 'kube-dns')
  const ready = pods.filter((pod) => pod.ready && !pod.leaving && pod.ip)
  const targets = [
    ...(server ? [{ name: 'kube-dns', ip: server.clusterIP }] : []),
    ...ready.map((pod) => ({ name: pod.name, ip: pod.ip as string })),
  ]
  const names = [
    { namespace: 'default', name: 'kubernetes' },
    { namespace, name: serviceName },
  ].flatMap(({ namespace, name }) => {
    const ip = serviceOf(scene, namespace, name)?.clusterIP
    return ip ? [{ name: `${name}.${namespace}.svc.${inventory.cluster.dnsDomain}`, ip }] : []
  })
  const nobody = {
    code: 'DNS_NO_ENDPOINTS' as const,
    evidence: `kubectl -n kube-system get pods -l k8s-app=kube-dns: ${pods.length === 0 ? 'none' : pods.map((pod) => `${pod.name} ${pod.leaving ? 'Terminating' : `${pod.phase}, not ready`}`).join('; ')}`,
  }
  return inventory.hosts.flatMap(({ name: node }) =>
    (targets.length > 0 ? targets : [{ name: 'kube-dns', ip: '' }]).flatMap((target) =>
      streams.map((protocol) => ({
        ...at('dns', node, target.name, protocol),
        ...source(scene, podA(node)),
        place: 'a' as const,
        ...(ready.length === 0
          ? { verdict: nobody }
          : {
              probes: names.map(({ name, ip }) => ({
                kind: `dns${protocol}` as const,
                ip: target.ip,
                port: 53,
                arg: name,
                expect: { what: 'address' as const, ip },
              })),
            }),
      })),
    ),
  )
}

/** From the controller by TCP where it can; else, and by UDP, from the next node of the inventory. */
export function outsideToService(scene: Scene): Draft[] {
  const { hosts } = scene.inventory
  const ports = serviceOf(scene, scene.namespace, serviceName)?.nodePorts
  const alive = hosts.filter(({ name }) => scene.running.has(name))
  return hosts.flatMap((target) =>
    streams.flatMap((protocol): Draft[] => {
      const to = target.name
      if (protocol === 'tcp' && scene.fromController.has(to)) return []
      const after = hosts.slice(hosts.indexOf(target) + 1).concat(hosts.slice(0, hosts.indexOf(target)))
      const vantage = after.find((host) => alive.includes(host)) ?? after[0]
      if (!vantage) {
        const skip = 'there is no other node to try it from'
        return [{ ...at('outside-to-service', to, to, protocol), from: 'outside', place: 'host', skip }]
      }
      const draft = { ...at('outside-to-service', vantage.name, to, protocol), source: vantage.nodeIP }
      return [{ ...draft, place: 'host', ...allEndpoints(scene, protocol, target.nodeIP, ports?.get(protocol)) }]
    }),
  )
}

export function nodeToPod(scene: Scene): Draft[] {
  return scene.inventory.hosts.flatMap(({ name: node, nodeIP }) =>
    scene.inventory.hosts.flatMap(({ name: server }) =>
      [podA(server), podB(server)].map((pod): Draft => {
        const draft = { ...at('node-to-pod', node, pod, 'tcp'), source: nodeIP, place: 'host' as const, server }
        const ip = ipOf(scene, pod)
        if (!ip) return { ...draft, skip: `${pod} has no IP` }
        return { ...draft, probes: [{ kind: 'tcp', ip, port: probePort, expect: { what: 'server', name: pod } }] }
      }),
    ),
  )
}

export function api(scene: Scene): Draft[] {
  const leader = leaderOf(scene.inventory)
  const service = serviceOf(scene, 'default', 'kubernetes')
  const targets = [
    ...(service ? [{ to: 'kubernetes', ip: service.clusterIP, port: 443 }] : []),
    { to: leader.name, ip: leader.nodeIP, port: 6443 },
  ]
  return scene.inventory.hosts.flatMap(({ name: node }) =>
    (['a', 'b'] as const).flatMap((place) => {
      const pod = place === 'a' ? podA(node) : podB(node)
      return targets.map(({ to, ip, port }) => ({
        ...at('api', node, to, 'tcp'),
        ...source(scene, pod),
        from: pod,
        place,
        probes: [{ kind: 'http' as const, ip, port, expect: { what: 'answer' as const } }],
      }))
    }),
  )
}

function at(scenario: Scenario, node: string, to: string, protocol: 'tcp' | 'udp' | 'icmp') {
  return { scenario, node, from: node, to, protocol }
}

function source(scene: Scene, pod: string): { source?: string } {
  const ip = ipOf(scene, pod)
  return ip ? { source: ip } : {}
}

function allEndpoints(
  { running }: Scene,
  protocol: 'tcp' | 'udp',
  ip: string | undefined,
  port: number | undefined,
): Pick<Draft, 'probes' | 'skip'> {
  if (!ip || !port) return { skip: 'the probe Service has no address' }
  const names = [...running].map(podB).sort()
  if (names.length === 0) return { skip: 'no probe server runs' }
  return { probes: [{ kind: `svc${protocol}`, ip, port, arg: names.length, expect: { what: 'endpoints', names } }] }
}

function ipOf({ state, namespace }: Scene, pod: string): string | undefined {
  return state.pods.find((it) => it.namespace === namespace && it.name === pod)?.ip
}

function serviceOf({ state }: Scene, namespace: string, name: string) {
  return state.services.find((it) => it.namespace === namespace && it.name === name)
}
