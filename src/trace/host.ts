import type { Code } from '../model/codes.ts'
import type { NodeView } from '../model/dump.ts'
import type { Hook } from '../model/netfilter.ts'
import { asksRules, refusedByPort } from './bridge.ts'
import { confirm, type Entered, enter, restoreDestination, restoreSource } from './conntrack.ts'
import { isLocal, lookup, sourceOf } from './fib.ts'
import { codeOf, type Passed, pass } from './filter.ts'
import type { Spot } from './match.ts'
import { flowText } from './packet.ts'
import { routed, wentWrong } from './route.ts'
import { dies, type End, hop, lost, type Run, type Stage, viewOf } from './run.ts'
import type { Walked } from './walk.ts'

/** A packet comes into the host by a device: from the wire, a bridge, a tunnel or lo. */
export function hostIn(run: Run, { node, iif, port }: { node: string; iif: string; port?: string }): Stage {
  const view = viewOf(run, node)
  if (!view) return unread(run, node)
  const entered = enter(run, node)
  const fresh = entered.is === 'new'
  const { packet } = run
  const before = packet.destination
  const dead = asked(run, view, 'prerouting', { iif }, entered, fresh)
  if (dead) return dead
  const route = lookup(view, packet.destination, { source: packet.source, mark: packet.mark, iif })
  const filtered = reverseFilter(run, view, iif)
  if (filtered) return filtered
  if (isLocal(view, packet.destination)) {
    const stopped = asked(run, view, 'input', { iif }, entered, false)
    if (stopped) return stopped
    if (fresh) confirm(packet, entered.connection)
    return { at: 'host', node }
  }
  const wrong = wentWrong(run, view, route, iif)
  if (wrong) return wrong
  const { dev = '', via, line } = route!
  hop(run, node, 'route', `${line}`, { command: `ip route get ${packet.destination} from ${packet.source} iif ${iif}` })
  const next = via ?? packet.destination
  // br_netfilter bridges what was translated to an address on the same bridge: it never leaves the bridge, and is not forwarded
  if (port !== undefined && dev === iif && packet.destination !== before && asksRules(view)) {
    const refused =
      refusedByPort(run, view, iif, next, port) ?? asked(run, view, 'forward', { iif, oif: dev }, entered, false)
    return refused ?? leave(run, view, dev, next, entered, fresh, port)
  }
  const forwarding = view.sysctls.get(`net.ipv4.conf.${iif}.forwarding`) ?? view.sysctls.get('net.ipv4.ip_forward')
  if (forwarding === '0')
    return dies(
      run,
      node,
      'forwarding',
      `net.ipv4.conf.${iif}.forwarding is 0: the host forwards nothing that comes in by ${iif}`,
      {
        command: `sysctl net.ipv4.conf.${iif}.forwarding net.ipv4.ip_forward`,
        code: 'FORWARDING_OFF',
        signs: [{ what: 'counter', name: 'Ip.InAddrErrors' }],
      },
    )
  const stopped = asked(run, view, 'forward', { iif, oif: dev }, entered, false)
  if (stopped) return stopped
  return leave(run, view, dev, next, entered, fresh)
}

/** A process on the host sends the packet; its source is chosen by the route where it has none yet. */
export function hostOut(run: Run, { node }: { node: string }): Stage {
  const view = viewOf(run, node)
  if (!view) return unread(run, node)
  const { packet } = run
  const first = lookup(view, packet.destination)
  const wrong = wentWrong(run, view, first)
  if (wrong) return wrong
  if (!packet.source) {
    const dev = first!.dev ?? 'lo'
    packet.source =
      first!.type === 'local'
        ? packet.destination
        : (sourceOf(view, dev, first!.via ?? packet.destination, first!.src) ?? '')
    run.own = packet.source
    routed(run, view, first!, run.names.isPodAddress(packet.destination))
  } else routed(run, view, first!, false)
  const before = packet.destination
  const entered = enter(run, node)
  const fresh = entered.is === 'new'
  const stopped = asked(run, view, 'output', { oif: first!.dev ?? 'lo' }, entered, fresh)
  if (stopped) return stopped
  let route = first!
  if (packet.destination !== before) {
    const again = lookup(view, packet.destination, { source: packet.source, mark: packet.mark })
    const lostNow = wentWrong(run, view, again)
    if (lostNow) return lostNow
    route = again!
    routed(run, view, route, false)
  }
  const local = route.type === 'local'
  return leave(run, view, local ? 'lo' : (route.dev ?? 'lo'), route.via ?? packet.destination, entered, fresh)
}

/** POSTROUTING, and out by the device. */
export function leave(
  run: Run,
  view: NodeView,
  oif: string,
  next: string,
  entered: Entered,
  fresh: boolean,
  port?: string,
): Stage {
  const stopped = asked(run, view, 'postrouting', { oif, next }, entered, fresh)
  if (stopped) return stopped
  if (fresh) confirm(run.packet, entered.connection)
  return { at: 'device', node: view.node, oif, next, ...(port !== undefined && { port }) }
}

/** Asks a hook and writes down what it said; undefined where the packet goes on. */
export function asked(
  run: Run,
  view: NodeView,
  hook: Hook,
  { iif, oif, next }: { iif?: string; oif?: string; next?: string },
  entered: Entered,
  translate: boolean,
): End | undefined {
  const { packet } = run
  const before = flowText(packet)
  const spot: Spot = {
    view,
    packet,
    pick: run.pick,
    ...(iif !== undefined && { iif }),
    ...(oif !== undefined && { oif }),
  }
  const fromPod = run.names.isPodAddress(packet.source)
  const passed = pass(hook, spot, translate)
  const place = hook.toUpperCase()
  const answer = entered.is === 'answer'
  const entry = `conntrack -L -p ${packet.protocol}${packet.protocol === 'icmp' ? '' : ` --sport ${entered.connection.asked.sourcePort}`}`
  const more = { command: passed.command || (answer ? entry : rulesOf(hook)), signs: passed.signs }
  if (passed.stopped) {
    const code = blocked(run, view, hook, passed, fromPod)
    return dies(run, view.node, place, passed.text, { ...more, ...(code && { code }) })
  }
  const said: string[] = [passed.text || (answer ? 'established: nat is not asked again' : 'no rules')]
  if (passed.nat && (passed.nat.end === 'masquerade' || passed.nat.end === 'snat')) {
    packet.source = passed.nat.ip ?? sourceOf(view, oif ?? '', next ?? packet.destination) ?? packet.source
    packet.snat = true
    said.push(whyHidden(run, passed.nat, fromPod))
  }
  if (passed.nat?.end === 'redirect')
    packet.destination = sourceOf(view, iif ?? 'lo', packet.source) ?? packet.destination
  const restored =
    hook === 'prerouting' || hook === 'output'
      ? restoreDestination(packet, entered)
      : hook !== 'forward' && restoreSource(packet, entered)
  if (restored) said.push('conntrack puts back what was translated before')
  if (passed.unsure.length > 0) said.push(`not sure about: ${passed.unsure[0]}`)
  const changed = flowText(packet) !== before
  const hidden = passed.nat?.end === 'masquerade' || passed.nat?.end === 'snat'
  const snatRule =
    hidden && fromPod && entered.is === 'new' && run.names.isPodAddress(packet.destination) && !packet.dnat
  hop(run, view.node, place, said.filter(Boolean).join('; '), {
    ...more,
    outcome: changed ? 'changed' : passed.unsure.length > 0 ? 'unknown' : 'ok',
    ...(changed && { packet: flowText(packet) }),
    ...(snatRule && { code: 'POD_SNAT_RULE' }),
  })
  return undefined
}

const rulesOf = (hook: Hook): string => `iptables-save | grep -- '-A ${hook.toUpperCase()}'; nft list ruleset`

/** Why a source is hidden, for a person who did not expect it. */
function whyHidden({ packet, names }: Run, nat: Walked, fromPod: boolean): string {
  const chain = nat.path.at(-1)?.chain
  if (/^KUBE-|^masquerading$/.test(chain?.name ?? ''))
    return 'kube-proxy hides the source behind this node, so that the answer comes back through it'
  const toPod = names.isPodAddress(packet.destination)
  if (fromPod && toPod) return 'the source of a packet between pods is hidden, which must not be'
  if (fromPod && names.hosts.has(packet.destination))
    return `flannel hides a pod that talks to the host of another node: the host sees ${packet.source}`
  return fromPod ? 'outside of the cluster a pod is hidden behind its node' : ''
}

function blocked(run: Run, view: NodeView, hook: Hook, passed: Passed, fromPod: boolean): Code | undefined {
  const { packet } = run
  const rule = passed.stopped?.rule?.text ?? ''
  const chain = passed.stopped?.path.at(-1)?.chain.name ?? ''
  if (/has no endpoints/.test(rule) || chain === 'reject-chain') return 'SERVICE_NO_ENDPOINTS'
  if (/^KUBE-|^service-endpoints-check$|^cluster-ips-check$/.test(chain)) {
    return run.names.services.has(packet.destination) ? 'KUBE_RULES_MISSING' : undefined
  }
  const special = fromPod ? undefined : publishedAs(run.picture, view.node, packet.port)
  return codeOf(hook, passed, packet.port, fromPod && isLocal(view, packet.destination), special)
}

/** What it is called when a firewall drops what comes from outside for a port of a node. */
function publishedAs({ cluster }: Run['picture'], node: string, port: number): Code | undefined {
  if (cluster?.services.some(({ ports }) => ports.some(({ nodePort }) => nodePort === port))) return 'NODEPORT_BLOCKED'
  const ofPods = cluster?.pods.filter((pod) => pod.node === node).flatMap(({ containers }) => containers) ?? []
  return ofPods.some(({ ports }) => ports.some(({ hostPort }) => hostPort === port)) ? 'HOSTPORT_BLOCKED' : undefined
}

/** Strict: the answer has to leave by the device by which the packet came. */
function reverseFilter(run: Run, view: NodeView, iif: string): End | undefined {
  const on = (name: string) => Number(view.sysctls.get(`net.ipv4.conf.${name}.rp_filter`) ?? 0)
  const mode = Math.max(on('all'), on(iif))
  if (mode === 0 || iif === 'lo') return undefined
  const back = lookup(view, run.packet.source)
  if (back && (mode === 2 || back.type === 'local' || back.dev === iif)) return undefined
  return dies(
    run,
    view.node,
    'rp_filter',
    `rp_filter of ${iif} is ${mode}, and the way back to ${run.packet.source} is ${back?.line ?? 'unknown'}`,
    {
      command: `sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.${iif}.rp_filter; ip route get ${run.packet.source}`,
      code: 'RP_FILTER',
      signs: [{ what: 'counter', name: 'TcpExt.IPReversePathFilter' }],
    },
  )
}

export function unread(run: Run, node: string): End {
  const why = run.picture.unread.get(node)
  return lost(run, node, 'host', `${node} could not be read${why ? `: ${why}` : ''}`, '')
}
