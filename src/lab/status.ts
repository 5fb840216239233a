import { containersOf } from './containers.ts'
import { answers } from './engine.ts'
import { readJson } from './files.ts'
import { imageName } from './image.ts'
import type { LabHost } from './inventory.ts'
import { type Lab, paths } from './lab.ts'
import type { Provider } from './provider.ts'
import { hostNames, nodeIpOf, readSettings } from './settings.ts'
import { vagrantStates } from './vagrant.ts'

/** The lab as it is. Only looks. */
export interface LabStatus {
  /** Undefined where there is no lab. */
  readonly provider?: Provider
  readonly hosts: readonly HostStatus[]
}

export interface HostStatus {
  readonly name: string
  /** running, exited, absent, or what Vagrant calls it. */
  readonly state: string
  readonly nodeIP: string
  /** ADDRESS:PORT */
  readonly ssh?: string
  /** The host was made from an older host image than the one that would be used now. */
  readonly outdated?: true
}

export async function status(lab: Lab): Promise<LabStatus> {
  const settings = await readSettings(lab)
  if (!settings) return { hosts: [] }
  const known = (await readJson<LabHost[]>(paths.hosts(lab))) ?? []
  const { states, old } =
    settings.provider === 'docker' ? await dockerStates(lab) : { states: await vagrantStates(lab), old: [] }
  const hosts = hostNames(settings.hosts).map((name, i): HostStatus => {
    const at = known.find((host) => host.name === name)
    const state = states.get(name) ?? 'absent'
    return {
      name,
      state,
      nodeIP: nodeIpOf(settings.subnet, i),
      ...(at && state === 'running' && { ssh: `${at.address}:${at.port}` }),
      ...(old.includes(name) && { outdated: true as const }),
    }
  })
  return { provider: settings.provider, hosts }
}

async function dockerStates(lab: Lab): Promise<{ states: Map<string, string>; old: string[] }> {
  if (!(await answers(lab))) return { states: new Map(), old: [] }
  const [containers, image] = await Promise.all([containersOf(lab), imageName(lab)])
  const old = containers.filter((it) => it.image !== image).map(({ host }) => host)
  return { states: new Map(containers.map(({ host, state }) => [host, state])), old }
}
