import type { Picture } from '../model/dump.ts'
import type { Branch, Packet, Trace } from '../model/trace.ts'
import { exits, Failure } from '../model/trouble.ts'
import { device } from './device.ts'
import { sourceEnd, type Target, targetEnd } from './ends.ts'
import { hostIn, hostOut } from './host.ts'
import { type Names, namesOf, podName } from './names.ts'
import { answerTo, type Flying, sameTuple, type Tuple, untouched } from './packet.ts'
import { podIn, podOut } from './pod.ts'
import { type End, hop, type Run, type Stage } from './run.ts'

export interface TraceOptions {
  /** The port that the packet comes from; any where it does not matter. */
  readonly sourcePort?: number
}

/** More ways than anybody reads. */
const mostBranches = 128
/** A packet that passes more stages than this goes round in a circle. */
const mostStages = 40

/**
 * Follows a packet through the tables and rules of a dump, there and back, by every way that a Service may choose.
 *
 * @param from ns/pod, a pod of the namespace default, node/NAME or an IP.
 * @param to The same, or svc/ns/name:port, node/NAME:nodePort; `:port` and `/udp` or `/icmp` at the end.
 * Throws a Failure END_UNKNOWN where an end is not known or could be several.
 */
export function trace(picture: Picture, from: string, to: string, options: TraceOptions = {}): Trace {
  const names = namesOf(picture)
  const source = sourceEnd(picture, names, from)
  const target = targetEnd(picture, names, to)
  const sourcePort = target.protocol === 'icmp' ? 0 : (options.sourcePort ?? 40_000)
  const packet: Packet = {
    protocol: target.protocol,
    source: source.end.ip,
    sourcePort,
    destination: target.end.ip,
    port: target.port,
  }
  const branches: Branch[] = []
  const unknown = new Set<string>()
  let dice: Die[] | null = []
  while (dice && branches.length < mostBranches) {
    const rolled: Die[] = dice
    const { branch, missing } = follow(picture, names, source, target, packet, rolled)
    branches.push(branch)
    if (missing) unknown.add(missing)
    dice = nextRoll(rolled)
  }
  if (dice) unknown.add(`there are more than ${mostBranches} ways; these are the first`)
  return {
    packet,
    from: source.end,
    to: target.end,
    network: networkText(picture),
    branches,
    ...(unknown.size > 0 && { unknown: [...unknown].join('; ') }),
  }
}

/** The node and, for a pod with a network of its own, a process in it, from where a packet of this end can be sent. */
export function senderOf(picture: Picture, from: string): { readonly node?: string; readonly pid?: number } {
  const { end, pod } = sourceEnd(picture, namesOf(picture), from)
  return { ...(end.node !== undefined && { node: end.node }), ...(pod && { pid: pod.pid }) }
}

/** One throw of dice on the way: the weights of its sides, and which one is up. */
interface Die {
  readonly weights: readonly number[]
  side: number
}

/** The next combination, as one counts: the last die first. Null after the last. */
function nextRoll(dice: readonly Die[]): Die[] | null {
  const rolled = dice.map((die) => ({ ...die }))
  while (rolled.length > 0) {
    const die = rolled.at(-1)!
    if (die.side + 1 < die.weights.length) {
      die.side++
      return rolled
    }
    rolled.pop()
  }
  return null
}

function follow(
  picture: Picture,
  names: Names,
  source: Target,
  target: Target,
  packet: Packet,
  dice: Die[],
): { branch: Branch; missing?: string } {
  let thrown = 0
  const pick = (weights: readonly number[]): number => {
    const die = dice[thrown] ?? { weights, side: 0 }
    dice[thrown++] = die
    return die.side
  }
  const run: Run = { picture, names, pick, hops: [], connections: new Map(), packet: { ...packet, ...untouched } }
  const inPod = source.pod !== undefined
  if (!inPod && source.end.node) run.packet.source = ''
  const end = drive(run, begin(run, source, target))
  const share = dice.reduce((product, { weights, side }) => product * weights[side]!, 1)
  const there = delivered(run, end)
  const count = run.hops.length
  const { destination: ip, port } = run.packet
  const reached = nameOf(run, end) ?? podName(names, ip)
  const sent = { ...packet, source: run.own ?? packet.source }
  const ok = there ? comesBack(run, end, sent, source) : false
  const hops = run.hops
  const last = hops.find(({ outcome }) => outcome === 'dies')
  const branch: Branch = {
    share,
    to: reached,
    ip,
    port,
    there: hops.slice(0, count),
    back: hops.slice(count),
    ok,
    ...(last && { diesAt: last.number }),
  }
  return { branch, ...(run.unknown && { missing: run.unknown }) }
}

/** Where the packet starts. Throws where an address outside of the cluster is to reach what only the inside can. */
function begin(run: Run, source: Target, target: Target): Stage {
  if (source.pod && source.end.node) return { at: 'pod-out', node: source.end.node, pod: source.pod }
  if (source.end.node) return { at: 'host-out', node: source.end.node }
  const owner = run.names.hosts.get(target.end.ip)
  if (owner) return { at: 'host-in', node: owner.node, iif: owner.link }
  throw new Failure(exits.badInput, {
    code: 'END_UNKNOWN',
    message: `${source.end.name} is outside of the cluster, and from there only addresses of nodes can be reached`,
    fix: 'trace to node/NAME:PORT',
  })
}

function drive(run: Run, start: Stage): End {
  let stage = start
  for (let i = 0; i < mostStages; i++) {
    switch (stage.at) {
      case 'pod-out':
        stage = podOut(run, stage)
        break
      case 'host-in':
        stage = hostIn(run, stage)
        break
      case 'host-out':
        stage = hostOut(run, stage)
        break
      case 'device':
        stage = device(run, stage)
        break
      case 'pod-in':
        stage = podIn(run, stage)
        break
      default:
        return stage
    }
  }
  const node = run.hops.at(-1)?.node ?? ''
  hop(run, node, 'route', 'the packet goes round in a circle until its time to live is over', {
    command: '',
    outcome: 'dies',
  })
  return { at: 'dead' }
}

/** Whether it has arrived; on a host also whether something listens there. */
function delivered(run: Run, end: End): boolean {
  const { packet } = run
  if (end.at === 'outside') {
    hop(run, end.node, 'outside', `leaves the cluster by ${end.oif}; what happens there is not known`, {
      command: `ip route get ${packet.destination}`,
    })
    return true
  }
  if (end.at !== 'host') return end.at === 'pod'
  const view = run.picture.nodes.get(end.node)!
  if (packet.protocol === 'icmp') {
    hop(run, end.node, 'host', 'the kernel answers', { command: '' })
    return true
  }
  const at = view.listeners.find(
    ({ protocol, port, address }) =>
      protocol === packet.protocol && port === packet.port && takes(address, packet.destination),
  )
  const command = `ss -ln${packet.protocol[0]}p sport = :${packet.port}`
  const text = at
    ? `${at.process || 'a process'} listens on ${at.address}:${at.port}`
    : `nothing listens on ${packet.protocol} ${packet.destination}:${packet.port}`
  hop(run, end.node, 'socket', text, { command, outcome: at || view.listeners.length === 0 ? 'ok' : 'dies' })
  return at !== undefined || view.listeners.length === 0
}

const takes = (address: string, ip: string): boolean =>
  ['*', '0.0.0.0', '::', '[::]', ''].includes(address) || address.replace(/%.*/, '') === ip

/** The answer, from where the packet arrived to where it came from. */
function comesBack(run: Run, end: End, sent: Tuple, source: Target): boolean {
  const wanted = answerTo({ ...run.packet, ...sent } as Flying)
  run.packet = answerTo(run.packet)
  const start: Stage =
    end.at === 'pod'
      ? { at: 'pod-out', node: end.node, pod: end.pod }
      : end.at === 'outside'
        ? { at: 'host-in', node: end.node, iif: end.oif }
        : { at: 'host-out', node: (end as { node: string }).node }
  const back = drive(run, start)
  if (back.at === 'dead' || back.at === 'unknown') return false
  const node = back.node
  const home = source.end.node
    ? node === source.end.node && (back.at === 'pod') === (source.pod !== undefined)
    : back.at === 'outside'
  if (home && sameTuple(run.packet, wanted)) return true
  const text = home
    ? `the answer comes from ${run.packet.source}, and ${wanted.source} was asked: it is thrown away`
    : `the answer went to ${back.at} ${node} instead of ${source.end.name}`
  const off = run.picture.nodes.get(node)?.sysctls.get('net.bridge.bridge-nf-call-iptables') !== '1'
  hop(run, node, 'answer', text, {
    command: 'conntrack -L',
    outcome: 'dies',
    ...(home && off && { code: 'BR_NETFILTER_OFF' as const }),
  })
  return false
}

function nameOf(run: Run, end: End): string | undefined {
  if (end.at === 'pod') return podName(run.names, run.packet.destination)
  return end.at === 'host' ? end.node : undefined
}

function networkText({ cluster, nodes }: Picture): string {
  const { flannel, provider } = cluster?.configs ?? {}
  if (flannel?.backend === 'vxlan') return `flannel vxlan (vni ${flannel.vni}, udp ${flannel.port})`
  if (flannel) return `flannel ${flannel.backend}${flannel.backend === 'udp' ? ` (udp ${flannel.port})` : ''}`
  const vxlan = [...nodes.values()].flatMap(({ links }) => links.filter(({ kind }) => kind === 'vxlan'))[0]
  return vxlan?.vxlan
    ? `vxlan (vni ${vxlan.vxlan.id}, udp ${vxlan.vxlan.port})`
    : provider === undefined || provider === 'unknown'
      ? 'unknown network'
      : provider
}
