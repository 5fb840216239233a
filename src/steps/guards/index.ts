import type { Guard } from '../../model/step.ts'
import { clocks } from './clocks.ts'
import { clusters } from './clusters.ts'
import { duplicates } from './duplicates.ts'
import { networks, nodeIps } from './networks.ts'
import { peers } from './peers.ts'
import { ports } from './ports.ts'
import { resources } from './resources.ts'
import { architectures, commands, kernels, systems } from './systems.ts'

/** Every preflight check. All of them look before anything is changed, and all their troubles are shown at once. */
export const guards = {
  systems,
  kernels,
  architectures,
  commands,
  resources,
  duplicates,
  'node-ips': nodeIps,
  networks,
  ports,
  clusters,
  clocks,
  peers,
} satisfies Record<string, Guard>
