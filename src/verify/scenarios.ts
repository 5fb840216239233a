import { type Draft, type Scene, way } from './case.ts'
import { allEndpoints, clusterIPOf, ipOf, noIp, pairsOf, serviceOf, sourceOf, streams } from './ends-of-scene.ts'
import { podA, podB, probePort, serviceName } from './manifests.ts'

export function containers({ inventory }: Scene): Draft[] {
  return inventory.hosts.flatMap(({ name: node }) =>
    streams.map((protocol) => ({
      ...way('containers', node, 'localhost', protocol),
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
  return pairsOf(scene).flatMap(([{ name: node }, { name: to }]) => {
    const source = ipOf(scene, podA(node))
    const ip = ipOf(scene, podB(to))
    return [...streams, 'icmp' as const].map((protocol): Draft => {
      const draft = { ...way('pod-to-pod', node, to, protocol), ...(source && { source }), place: 'a' as const }
      if (!ip) return { ...draft, skip: noIp(scene, podB(to)) }
      if (protocol === 'icmp') return { ...draft, probes: [{ kind: 'icmp', ip, expect: { what: 'answer' } }] }
      const expect = { what: 'server' as const, name: podB(to), ...(source && { seen: source }) }
      return { ...draft, server: to, probes: [{ kind: protocol, ip, port: probePort, expect }] }
    })
  })
}

export function podToService(scene: Scene): Draft[] {
  const ip = clusterIPOf(scene, scene.namespace, serviceName)
  return scene.inventory.hosts.flatMap(({ name: node }) =>
    streams.map((protocol) => ({
      ...way('pod-to-service', node, serviceName, protocol),
      ...sourceOf(scene, podA(node)),
      place: 'a' as const,
      ...allEndpoints(scene, protocol, ip, probePort),
    })),
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
        return [{ ...way('outside-to-service', to, to, protocol), from: 'outside', place: 'host', skip }]
      }
      const draft = { ...way('outside-to-service', vantage.name, to, protocol), source: vantage.nodeIP }
      return [{ ...draft, place: 'host', ...allEndpoints(scene, protocol, target.nodeIP, ports?.get(protocol)) }]
    }),
  )
}

const sourceOfTunnel = 'a node speaks to pods from its address on the bridge or the tunnel, not from its own'

export function nodeToPod(scene: Scene): Draft[] {
  return pairsOf(scene).flatMap(([{ name: node, nodeIP }, { name: server }]) =>
    [podA(server), podB(server)].map((pod): Draft => {
      const draft = {
        ...way('node-to-pod', node, pod, 'tcp'),
        source: nodeIP,
        place: 'host' as const,
        server,
        deviation: sourceOfTunnel,
      }
      const ip = ipOf(scene, pod)
      if (!ip) return { ...draft, skip: noIp(scene, pod) }
      const expect = { what: 'server' as const, name: pod, ...(scene.full && { ideal: nodeIP }) }
      return { ...draft, probes: [{ kind: 'tcp', ip, port: probePort, expect }] }
    }),
  )
}

export function api(scene: Scene): Draft[] {
  // A cluster that a provider runs shows no control plane.
  const leader = scene.inventory.hosts.find(({ role }) => role === 'control-plane')
  const service = serviceOf(scene, 'default', 'kubernetes')
  const targets = [
    ...(service ? [{ to: 'kubernetes', ip: clusterIPOf(scene, 'default', 'kubernetes'), port: 443 }] : []),
    ...(leader ? [{ to: leader.name, ip: leader.nodeIP, port: 6443 }] : []),
  ]
  return scene.inventory.hosts.flatMap(({ name: node }) =>
    (['a', 'b'] as const).flatMap((place) => {
      const pod = place === 'a' ? podA(node) : podB(node)
      return targets.map(({ to, ip, port }) => ({
        ...way('api', node, to, 'tcp'),
        ...sourceOf(scene, pod),
        from: pod,
        place,
        ...(ip
          ? { probes: [{ kind: 'http' as const, ip, port, expect: { what: 'answer' as const } }] }
          : { skip: `${to} has no IPv4 address` }),
      }))
    }),
  )
}
