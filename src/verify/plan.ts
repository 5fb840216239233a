import { type Case, checkId, type Scene } from './case.ts'
import { dns } from './dns.ts'
import { egress, hostPort, largePackets, networkPolicy, podToNode, udpEndpointGone } from './node-scenarios.ts'
import { api, containers, nodeToPod, outsideToService, podToPod, podToService } from './scenarios.ts'
import { affinity, hairpin, nodeToService, spread, trafficPolicy } from './service-scenarios.ts'

const quick = [containers, podToPod, podToService, dns, outsideToService, nodeToPod, api]
const further = [
  spread,
  affinity,
  nodeToService,
  hairpin,
  trafficPolicy,
  hostPort,
  podToNode,
  largePackets,
  udpEndpointGone,
  networkPolicy,
  egress,
]

/** Every check that takes a packet, for every node and pair of nodes that is tried, in the order of the report. */
export function planCases(scene: Scene): Case[] {
  let id = 0
  return [...quick, ...(scene.full ? further : [])]
    .flatMap((scenario) => scenario(scene))
    .map(({ probes = [], ...draft }) => ({
      ...draft,
      id: checkId(draft),
      probes: probes.map((probe) => ({ ...probe, id: ++id })),
    }))
}
