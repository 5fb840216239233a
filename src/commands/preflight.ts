import { checkBundle } from '../bundle/check.ts'
import type { Host } from '../model/inventory.ts'
import type { Plan } from '../model/plan.ts'
import type { Hands } from '../model/ports.ts'
import type { Guard, Site } from '../model/step.ts'
import type { Failure, Trouble } from '../model/trouble.ts'
import { factsFor, questionsOf } from '../plan/gather.ts'
import { actionsOf } from '../plan/make.ts'
import { guards } from '../steps/guards/index.ts'
import type { CommandIo } from './io.ts'
import { askAll, type Prepared } from './session.ts'

/**
 * Every reason why the hosts are not fit to begin, of all of them at once, and the hosts that could not be asked. Changes nothing.
 * Hosts of the inventory that are lost are no peers that anybody has to reach.
 */
export async function preflight(
  io: CommandIo,
  { inventory: whole, sites: all }: Prepared,
  hands: ReadonlyMap<Host, Hands>,
  lost: ReadonlyMap<Host, Failure>,
): Promise<{ troubles: Trouble[]; failures: ReadonlyMap<Host, Failure> }> {
  io.follow?.phase('check')
  const inventory = { ...whole, hosts: whole.hosts.filter((host) => !lost.has(host)) }
  const sites = all.map((site) => ({ ...site, inventory }))
  const checks: Guard[] = Object.values(guards)
  const questions = (site: Site) => questionsOf(checks.map((guard) => guard.asks(site)))
  const { answers, failures } = await askAll(hands, sites, questions, io.signal)
  const asked = sites.filter(({ host }) => answers.has(host))
  const troubles = checks.flatMap((guard) =>
    guard.look(
      new Map(asked.map((site) => [site.host, factsFor(guard.asks(site), answers.get(site.host)!)])),
      inventory,
    ),
  )
  return { troubles, failures }
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
