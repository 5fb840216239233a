import type { ExecAction } from '../../model/action.ts'
import type { Link } from '../../model/dump.ts'
import { type Sh, sh } from '../../model/shell.ts'
import type { Peer } from './tables.ts'

interface Step {
  readonly summary: string
  readonly run: Sh
  /** Succeeds where there is nothing to do. */
  readonly unless?: Sh
}

/**
 * A command on a node that sets what flannel, or its plugin, had set; and the one that takes it back. flannel may have made its
 * device anew since: what is gone by then needs no taking back.
 */
function command({ summary, run, unless }: Step, back: Step): ExecAction {
  const undo = { kind: 'exec', summary: back.summary, command: back.run, timeoutSeconds: 10, undo: 'nothing' } as const
  return {
    kind: 'exec',
    summary,
    command: run,
    ...(unless && { unless }),
    timeoutSeconds: 10,
    undo: [{ ...undo, ...(back.unless && { unless: back.unless }) }],
  }
}

const gone = (dev: string): Sh => sh`! ip link show ${dev}`

/** The MAC address of a peer's tunnel end. `was` is the old one. */
export function setNeighbour({ vtep, mac, name }: Peer, dev: string, was?: string): ExecAction[] {
  if (!mac) return []
  const step = {
    summary: `${dev}: ${vtep} of ${name} has the MAC address ${mac}`,
    run: sh`ip neigh replace ${vtep} lladdr ${mac} dev ${dev} nud permanent`,
    unless: sh`ip neigh show ${vtep} dev ${dev} | grep -qi ${mac}`,
  }
  const back = was
    ? {
        summary: `${dev}: ${vtep} has the MAC address ${was}`,
        run: sh`ip neigh replace ${vtep} lladdr ${was} dev ${dev} nud permanent`,
        unless: gone(dev),
      }
    : {
        summary: `${dev}: no MAC address for ${vtep}`,
        run: sh`ip neigh del ${vtep} dev ${dev}`,
        unless: sh`! ip neigh show ${vtep} dev ${dev} | grep -q .`,
      }
  return [command(step, back)]
}

/** The host of a peer's tunnel end. `was` is the old one. */
export function setHost({ mac, ip, name }: Peer, dev: string, was?: string): ExecAction[] {
  if (!mac) return []
  const there = sh`bridge fdb show dev ${dev} | grep -qi ${`${mac} dst ${ip} `}`
  const step = {
    summary: `${dev}: ${mac} of ${name} is at ${ip}`,
    run: sh`bridge fdb replace ${mac} dev ${dev} dst ${ip} self permanent`,
    unless: there,
  }
  const back = was
    ? {
        summary: `${dev}: ${mac} is at ${was}`,
        run: sh`bridge fdb replace ${mac} dev ${dev} dst ${was} self permanent`,
        unless: gone(dev),
      }
    : {
        summary: `${dev}: no host for ${mac}`,
        run: sh`bridge fdb del ${mac} dev ${dev} dst ${ip} self`,
        unless: `! ${there}`,
      }
  return [command(step, back)]
}

/** The route to the pods of a peer through the tunnel. */
export function setRoute({ cidr, vtep, name }: Peer, dev: string): ExecAction {
  return command(
    {
      summary: `the route to ${cidr} of ${name} through ${dev}`,
      run: sh`ip route add ${cidr} via ${vtep} dev ${dev} onlink`,
      unless: sh`ip route show ${cidr} | grep -q .`,
    },
    {
      summary: `no route to ${cidr}`,
      run: sh`ip route del ${cidr} via ${vtep} dev ${dev}`,
      unless: sh`! ip route show ${cidr} dev ${dev} | grep -q .`,
    },
  )
}

export function setUp({ name }: Link): ExecAction {
  return command(
    { summary: `${name} up`, run: sh`ip link set ${name} up`, unless: sh`ip link show ${name} up | grep -q .` },
    { summary: `${name} down`, run: sh`ip link set ${name} down`, unless: gone(name) },
  )
}

export function setMtu({ name, mtu: was }: Link, mtu: number): ExecAction {
  const step = (to: number) => ({ summary: `the MTU of ${name} is ${to}`, run: sh`ip link set ${name} mtu ${to}` })
  return command(step(mtu), { ...step(was), unless: gone(name) })
}

/** The link of a pod is a port of the bridge, and with `hairpin` one that sends back to where a packet came from. */
export function setMaster({ name, master }: Link, bridge: string, hairpin: boolean): ExecAction {
  const join = sh`ip link set ${name} master ${bridge}`
  const run = hairpin ? `${join} && ${sh`bridge link set dev ${name} hairpin on`}` : join
  const leave = master ? sh`ip link set ${name} master ${master}` : sh`ip link set ${name} nomaster`
  return command(
    { summary: `${name} is a port of ${bridge}`, run },
    { summary: `${name} is no port of ${bridge}`, run: leave, unless: gone(name) },
  )
}

/** The node works out the checksums of tunnel packets itself. */
export function setChecksums(dev: string, feature: string): ExecAction {
  const step = (to: string) => ({ summary: `${feature} of ${dev} ${to}`, run: sh`ethtool -K ${dev} ${feature} ${to}` })
  return command(step('off'), { ...step('on'), unless: gone(dev) })
}
