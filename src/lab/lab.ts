import { createHash } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What a lab command may know of the outside. */
export interface Outside {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly signal: AbortSignal
  /** Gets one line per thing that is being done, without a line end. */
  readonly say: (line: string) => void
}

/** One lab: the folder of its Vagrantfile, and how to talk while working on it. Two checkouts are two labs. */
export interface Lab extends Outside {
  /** The folder with the Vagrantfile. */
  readonly dir: string
  /** Six hex digits that name this lab's containers. */
  readonly id: string
  /** Where logs and what was started are kept: $XDG_STATE_HOME/k8snet/lab */
  readonly state: string
  /** Goes before a command that only root may do. */
  readonly sudo: readonly string[]
}

/** The lab of this installation of k8snet, or the one in `dir`. */
export function labOf(outside: Outside, dir = fileURLToPath(new URL('../../vagrant', import.meta.url))): Lab {
  // Every command that runs listens to it, and many run side by side.
  setMaxListeners(0, outside.signal)
  return {
    ...outside,
    dir,
    id: createHash('sha256').update(dir).digest('hex').slice(0, 6),
    state: join(outside.env.XDG_STATE_HOME || join(outside.home, '.local/state'), 'k8snet/lab'),
    sudo: userInfo().uid === 0 ? [] : ['sudo'],
  }
}

/** The files of a lab. */
export const paths = {
  dotVagrant: (lab: Lab) => join(lab.dir, '.vagrant'),
  /** Read by the Vagrantfile. */
  settings: (lab: Lab) => join(lab.dir, '.vagrant/lab.json'),
  /** How the hosts were reached last. */
  hosts: (lab: Lab) => join(lab.dir, '.vagrant/hosts.json'),
  machine: (lab: Lab, name: string, provider: string) => join(lab.dir, '.vagrant/machines', name, provider),
  inventory: (lab: Lab) => join(lab.dir, 'inventory.yaml'),
  knownHosts: (lab: Lab) => join(lab.dir, 'known_hosts'),
}
