import type { Fault, Trial } from './fault.ts'
import { on } from './fault.ts'
import { bridge } from './faults/bridge.ts'
import { faults } from './faults/index.ts'
import { tunnel } from './faults/tunnel.ts'

const of = (list: readonly Fault[], title: string): Fault => list.find((fault) => fault.title === title)!

/** Two faults at once, on different hosts and for different pairs of nodes. */
const twice: readonly Trial[] = [
  [
    of(tunnel, 'an old MAC address of a peer is kept'),
    on('other', of(tunnel, 'the tunnel packets for a peer go to a host that is gone')),
  ],
  [
    of(tunnel, 'the route to the podCIDR of a peer is removed'),
    of(bridge, 'the links of the CoreDNS pods are set down'),
  ],
]

/** Every fault by itself, then those that come two at a time. */
export const trials: readonly Trial[] = [...faults.map((fault): Trial => [fault]), ...twice]
