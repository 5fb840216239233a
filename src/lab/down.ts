import { rm } from 'node:fs/promises'
import { containersOf, removeContainers } from './containers.ts'
import { answers, startEngine, stopEngine } from './engine.ts'
import { removeImages } from './image.ts'
import { type Lab, paths } from './lab.ts'
import { readSettings, type Settings } from './settings.ts'
import { removeNetwork } from './subnet.ts'
import { vagrantDestroy, vagrantStates } from './vagrant.ts'

/** What `lab down` removed. */
export interface LabDown {
  readonly hosts: readonly string[]
  readonly images: readonly string[]
  /** Whether it ended a Docker engine that the lab had started. */
  readonly engine: boolean
}

/** Removes the hosts with all that is on them, and ends the Docker engine if the lab started it. Images only with `all`. */
export async function down(lab: Lab, { all = false }: { readonly all?: boolean | undefined } = {}): Promise<LabDown> {
  const settings = await readSettings(lab)
  const docker = settings ? settings.provider === 'docker' : await answers(lab)
  // Stopped containers outlive the engine, and only an engine can remove them.
  if (docker && settings) await startEngine(lab)
  const hosts = docker ? await removeDocker(lab, settings) : settings ? await removeMachines(lab) : []
  const images = docker && all ? await removeImages(lab) : []
  await rm(paths.dotVagrant(lab), { recursive: true, force: true })
  await rm(paths.inventory(lab), { force: true })
  await rm(paths.knownHosts(lab), { force: true })
  return { hosts, images, engine: await stopEngine(lab) }
}

async function removeDocker(lab: Lab, settings: Settings | undefined): Promise<string[]> {
  const containers = await containersOf(lab)
  const names = containers.map(({ host }) => host).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  if (names.length > 0) lab.say(`removing ${names.join(', ')}`)
  await removeContainers(lab, containers)
  if (settings) await removeNetwork(lab, settings.subnet)
  return names
}

async function removeMachines(lab: Lab): Promise<string[]> {
  const names = [...(await vagrantStates(lab))].filter(([, state]) => state !== 'not_created').map(([name]) => name)
  if (names.length > 0) lab.say(`removing ${names.join(', ')}`)
  await vagrantDestroy(lab)
  return names
}
