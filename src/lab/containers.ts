import type { Lab } from './lab.ts'
import { must, tools } from './tools.ts'

/** A host of the lab that is a container. */
export interface Container {
  readonly id: string
  readonly host: string
  readonly state: string
  readonly image: string
  /** The port of this machine that leads to its sshd; undefined while it does not run. */
  readonly port?: number
}

/** The containers that carry this lab's label, running or not. */
export async function containersOf(lab: Lab): Promise<Container[]> {
  const $ = tools(lab)
  const form = '{{.ID}}\t{{.Label "k8snet.host"}}\t{{.State}}\t{{.Image}}\t{{.Ports}}'
  return parseContainers(
    await must(lab, 'docker ps', $`docker ps --all --no-trunc --filter label=k8snet.lab=${lab.id} --format ${form}`),
  )
}

/** Reads what {@link containersOf} asks for: one container per line, fields apart by tabs. */
export function parseContainers(text: string): Container[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [id = '', host = '', state = '', image = '', ports = ''] = line.split('\t')
      const port = /127\.0\.0\.1:(\d+)->22\/tcp/.exec(ports)?.[1]
      return { id, host, state, image, ...(port && { port: Number(port) }) }
    })
}

/** Removes containers with their volumes. */
export async function removeContainers(lab: Lab, containers: readonly Container[]): Promise<void> {
  if (containers.length === 0) return
  const $ = tools(lab)
  await must(lab, 'docker rm', $`docker rm --force --volumes ${containers.map(({ id }) => id)}`)
}
