import { type Draft, type Scene, way } from './case.ts'
import { ipOf, nodeWith, noIp, ownService, pairsOf, sourceOf, streams } from './ends-of-scene.ts'
import { bigPort, hostPorts, podA, podB, podDenied, podGone, probePort } from './manifests.ts'

const kubeletPort = 10250
/** More than any path carries in one packet. */
const manyBytes = 8000
/** Sockets of one client; that none of them is led to one of two endpoints by chance is less likely than 1e-7. */
const sockets = 24
const goneSeconds = 25
const policySeconds = 1
const httpsPort = 443

/** A pod reaches the hostPort of a pod on every node. */
export function hostPort(scene: Scene): Draft[] {
  const { hostPort: port } = hostPorts(scene.namespace)
  return pairsOf(scene).flatMap(([{ name: node }, to]) =>
    streams.map(
      (protocol): Draft => ({
        ...way('host-port', node, to.name, protocol),
        ...sourceOf(scene, podA(node)),
        place: 'a',
        server: to.name,
        probes: [{ kind: `try${protocol}`, ip: to.nodeIP, port, expect: { what: 'server', name: podB(to.name) } }],
      }),
    ),
  )
}

/**
 * A pod reaches what runs in the network of a node: the kubelet of each, whose port every firewall has to let in, and a server
 * of ours; a firewall of another node may refuse that one.
 */
export function podToNode(scene: Scene): Draft[] {
  const { server: port } = hostPorts(scene.namespace)
  return pairsOf(scene).flatMap(([{ name: node }, to]) =>
    ([...streams, 'icmp'] as const).map((protocol): Draft => {
      const source = ipOf(scene, podA(node))
      const draft = {
        ...way('pod-to-node', node, to.name, protocol),
        ...(source && { source }),
        place: 'a' as const,
        deviation: 'the pod network translates the source of packets from pods to other nodes, as flannel does',
      }
      const ip = to.nodeIP
      if (protocol === 'icmp') return { ...draft, probes: [{ kind: 'icmp', ip, expect: { what: 'answer' } }] }
      const soft = node !== to.name && { soft: true as const }
      const expect = { what: 'server' as const, name: `h-${to.name}`, ...(source && { ideal: source }), ...soft }
      const own = { kind: protocol, ip, port, expect }
      const kubelet = { kind: 'http' as const, ip, port: kubeletPort, expect: { what: 'answer' as const } }
      const there = scene.full?.hosts.has(to.name)
      if (protocol === 'tcp') return { ...draft, server: to.name, probes: there ? [kubelet, own] : [kubelet] }
      if (!there) return { ...draft, server: to.name, skip: `${to.name}: the port of the probe server is taken` }
      return { ...draft, server: to.name, probes: [own] }
    }),
  )
}

/** What fills a packet, and more, gets from pod to pod, and no tunnel cuts it into fragments. */
export function largePackets(scene: Scene): Draft[] {
  return pairsOf(scene).flatMap(([{ name: node }, { name: to }]) =>
    streams.map((protocol): Draft => {
      const draft = { ...way('large-packets', node, to, protocol), ...sourceOf(scene, podA(node)), place: 'a' as const }
      const ip = ipOf(scene, podB(to))
      if (!ip) return { ...draft, skip: noIp(scene, podB(to)) }
      const expect = { what: 'server' as const, name: podB(to) }
      const big = (size: number) => ({ kind: 'bigudp' as const, ip, port: probePort, arg: size, expect })
      const whole = { kind: 'frag' as const, ip, port: probePort, expect: { what: 'whole' as const } }
      const probes =
        protocol === 'tcp'
          ? [{ kind: 'bigtcp' as const, ip, port: bigPort, expect }]
          : // First of all, for what is sent later may teach the kernel a smaller size.
            [...(node === to ? [] : [whole]), big(0), big(manyBytes)]
      return { ...draft, server: to, needs: `pod-to-pod/${node}/${to}/${protocol}`, probes }
    }),
  )
}

/** A known client of a UDP Service is led to another endpoint when the one that answered it is gone. See endpoint-gone.ts. */
export function udpEndpointGone(scene: Scene): Draft[] {
  const ip = ownService(scene, 'gone')?.clusterIP
  const first = nodeWith(scene, 'u')
  const stays = nodeWith(scene, 'v')
  return scene.inventory.hosts.map(({ name: node }): Draft => {
    const draft = {
      ...way('udp-endpoint-gone', node, 'gone', 'udp'),
      ...sourceOf(scene, podA(node)),
      place: 'a' as const,
    }
    const there = [podGone(first ?? ''), `v-${stays}`].every((pod) => scene.full?.extras.has(pod))
    if (!ip || !first || !stays || !there) {
      const silent = [first, stays].find((it) => it !== undefined && !scene.running.has(it))
      return { ...draft, ...(silent && { server: silent }), skip: 'the Service or its two servers are not there' }
    }
    const gone = podGone(first)
    const arg = `${sockets},${gone}`
    const expect = { what: 'moved' as const, gone }
    const probe = { kind: 'move' as const, ip, port: probePort, arg, seconds: goneSeconds, expect }
    return { ...draft, needs: `pod-to-pod/${node}/${stays}/udp`, once: true, probes: [probe] }
  })
}

/** Programs that enforce NetworkPolicies, by the names of their pods or containers. */
const enforcers =
  /^(calico-node|cilium|antrea-agent|kube-router|weave-net|weave-npc|kube-network-policies|ovnkube-node|.*network-policy.*)/

/** Does a pod to which a NetworkPolicy denies all still answer? Said either way; a fault only where something enforces them. */
export function networkPolicy(scene: Scene): Draft[] {
  const node = nodeWith(scene, 'u')
  const to = nodeWith(scene, 'p')
  if (!node || !to) return []
  const pod = podDenied(to)
  const draft = { ...way('network-policy', node, pod, 'tcp'), ...sourceOf(scene, podA(node)), place: 'a' as const }
  const ip = ipOf(scene, pod)
  if (!ip || !scene.full?.extras.has(pod)) return [{ ...draft, server: to, skip: `${pod} does not answer anybody` }]
  const names = scene.state.pods.flatMap(({ name, containers }) => [name, ...containers.keys()])
  const enforcer = names.find((name) => enforcers.test(name))
  const expect = { what: 'policy' as const, ...(enforcer && { enforcer }) }
  const probe = { kind: 'tcp' as const, ip, port: probePort, seconds: policySeconds, expect }
  return [{ ...draft, server: to, needs: `pod-to-pod/${node}/${to}/tcp`, probes: [probe] }]
}

/** A pod of every node reaches an address outside of the cluster; only where one is given. */
export function egress(scene: Scene): Draft[] {
  const where = scene.full?.egress
  if (!where) return []
  const [, host = where, port] = /^(.*?)(?::(\d+))?$/.exec(where) ?? []
  const dns = scene.state.services.find(({ namespace, name }) => namespace === 'kube-system' && name === 'kube-dns')
  return scene.inventory.hosts.map(
    ({ name: node }): Draft => ({
      ...way('egress', node, where, 'tcp'),
      ...sourceOf(scene, podA(node)),
      place: 'a',
      probes: [
        {
          kind: 'connect',
          ip: host,
          port: Number(port ?? httpsPort),
          arg: dns?.clusterIP ?? '-',
          expect: { what: 'answer' },
        },
      ],
    }),
  )
}
