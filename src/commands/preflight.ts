import { checkBundle } from '../bundle/check.ts'
import type { Host } from '../model/inventory.ts'
import type { Plan } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import type { Guard } from '../model/step.ts'
import type { Trouble } from '../model/trouble.ts'
import { factsFor, questionsOf } from '../plan/gather.ts'
import { actionsOf } from '../plan/make.ts'
import { guards } from '../steps/guards/index.ts'
import type { CommandIo } from './io.ts'
import { askAll, type Prepared } from './session.ts'

/** Every reason why the hosts are not fit to begin, of all of them at once. Changes nothing. */
export async function preflight(
  io: CommandIo,
  { inventory, sites }: Prepared,
  hands: ReadonlyMap<Host, Hands>,
): Promise<Trouble[]> {
  const all: Guard[] = Object.values(guards)
  const picture = await askAll(hands, sites, (site) => questionsOf(all.map((guard) => guard.asks(site))), io.signal)
  return all.flatMap((guard) =>
    guard.look(
      new Map(sites.map((site) => [site.host, factsFor(guard.asks(site), picture.get(site.host)!)])),
      inventory,
    ),
  )
}

/** What is wrong with the files of the bundle that the plan would send, by their hashes. */
export function damages({ inventory, bundle }: Prepared, plan: Plan): Promise<Trouble[]> {
  return checkBundle(inventory.source.bundle, bundle, wanted(plan))
}

/** The artifacts that the plan would send to any host. */
function wanted(plan: Plan): Set<string> {
  const actions = plan.hosts.flatMap(({ stages }) => stages.flatMap(actionsOf)).map(({ action }) => action)
  return new Set(
    actions.flatMap((action) =>
      action.kind === 'upload' ? [action.artifact] : action.kind === 'image' ? [action.ref] : [],
    ),
  )
}
