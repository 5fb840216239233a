import type { NodeView } from '../../model/dump.ts'
import type { DoorRules, ProxyRules } from './rules.ts'
import { type Endpoint, portName, type Wanted } from './wanted.ts'

/** A way by which clients come to a Service, and what a node does with them. */
export interface Way {
  readonly wanted: Wanted
  /** `fixture/web:http`, or `the NodePort 30080 of fixture/web:http` */
  readonly name: string
  /** `10.96.0.10 udp 53`, or `tcp 30080` */
  readonly key: string
  /** From outside of the cluster, by the NodePort; else by the ClusterIP. */
  readonly outside: boolean
  /** The traffic policy is Local: only endpoints of the node itself may be led to. */
  readonly local: boolean
  /** Has the node a rule for it? */
  readonly known: boolean
  /** What that leads to; absent where it is not understood. */
  readonly rules?: DoorRules
}

/** The way by the ClusterIP, then that by the NodePort where there is one. */
export function waysTo(wanted: Wanted, { services, doors, nodePorts }: ProxyRules): readonly [Way, ...Way[]] {
  const { service, key, door, port } = wanted
  const name = portName(wanted)
  const rules = services.get(key)
  const local = service.internalTrafficPolicy === 'Local'
  const inside = { wanted, name, key, outside: false, local, known: rules !== undefined, ...(rules && { rules }) }
  return door === undefined ? [inside] : [inside, byDoor(door)]

  function byDoor(key: string): Way {
    const rules = doors.get(key)
    return {
      wanted,
      name: `the NodePort ${port.nodePort} of ${name}`,
      key,
      outside: true,
      local: service.externalTrafficPolicy === 'Local',
      known: nodePorts.has(key),
      ...(rules && { rules }),
    }
  }
}

/** What the ways lead to, once where it is the same: a NodePort with the policy Cluster ends where the ClusterIP does. */
export function rulesOf(ways: readonly Way[]): (Way & { readonly rules: DoorRules })[] {
  const all = ways.flatMap((way) => (way.rules ? [{ ...way, rules: way.rules }] : []))
  return all.filter(({ rules }, i) => all.findIndex((one) => one.rules.chain === rules.chain) === i)
}

/** The endpoints that the rules of a node for this way surely have to name. */
export function steadyOn({ wanted: { service, endpoints }, local }: Way, { node }: NodeView): readonly Endpoint[] {
  if (service.nearest) return []
  return endpoints.filter((endpoint) => endpoint.steady && (!local || endpoint.node === node))
}
