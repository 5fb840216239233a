import type { Fault } from '../fault.ts'
import { addresses } from './addresses.ts'
import { bridge } from './bridge.ts'
import { cluster } from './cluster.ts'
import { firewall } from './firewall.ts'
import { host } from './host.ts'
import { hostPorts } from './host-ports.ts'
import { services } from './services.ts'
import { tunnel } from './tunnel.ts'

/** Every fault that is made on a lab, in the order in which they are made: those that restart something come last. */
export const faults: readonly Fault[] = [
  ...tunnel,
  ...addresses,
  ...bridge,
  ...host,
  ...firewall,
  ...hostPorts,
  ...services,
  ...cluster,
]
