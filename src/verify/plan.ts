import { type Case, checkId, type Scene } from './case.ts'
import { api, containers, dns, nodeToPod, outsideToService, podToPod, podToService } from './scenarios.ts'

/** Every check that takes a packet, for every node and ordered pair of nodes, in the order of the report. */
export function planCases(scene: Scene): Case[] {
  let id = 0
  return [containers, podToPod, podToService, dns, outsideToService, nodeToPod, api]
    .flatMap((scenario) => scenario(scene))
    .map(({ probes = [], ...draft }) => ({
      ...draft,
      id: checkId(draft),
      probes: probes.map((probe) => ({ ...probe, id: ++id })),
    }))
}
