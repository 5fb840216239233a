import type { NodeView } from '../model/dump.ts'
import type { Chain } from '../model/netfilter.ts'
import type { Branch, Hop, LiveResult, Sign, Trace } from '../model/trace.ts'
import { type Entry, entriesOf, followEntries } from './live-flows.ts'

/** What the sender saw: connected, answered, refused, reset, timeout, silent, unreachable, denied, errno-N. */
export interface Sent {
  readonly answer: string
  readonly sourcePort: number
}

/** Counters of the nodes on the way before and after. */
export interface Readings {
  readonly before: ReadonlyMap<string, NodeView>
  readonly after: ReadonlyMap<string, NodeView>
}

/** Puts what really happened beside what the dump said: at each hop what moved, and whether the two agree. */
export function withLive(trace: Trace, sent: Sent, readings: Readings): Trace {
  const flows = new Map([...readings.after].map(([node, view]) => [node, entriesOf(view.dump.parts.flows ?? '')]))
  const index = branchTaken(trace, sent, flows, readings)
  const branch = index === undefined ? undefined : trace.branches[index]
  if (!branch) return { ...trace, live: undecided(trace, sent) }
  const entries = followEntries(pathOf(branch.there), flows, sent.sourcePort)
  const seen = (hop: Hop, way: 'there' | 'back'): Hop => ({ ...hop, live: observed(hop, way, entries, readings) })
  const there = branch.there.map((hop) => seen(hop, 'there'))
  const back = branch.back.map((hop) => seen(hop, 'back'))
  const branches = trace.branches.map((one, i) => (i === index ? { ...one, there, back } : one))
  return { ...trace, branches, live: { ...judged({ ...branch, there, back }, sent, entries), branch: index! } }
}

/** The nodes in the order in which a packet passes them. */
const pathOf = (hops: readonly Hop[]): string[] => [...new Set(hops.map(({ node }) => node))]

/** By the translated destination in the first table of connections; else by the counters of the rules that only one branch passes. */
function branchTaken(
  { branches }: Trace,
  { sourcePort }: Sent,
  flows: ReadonlyMap<string, readonly Entry[]>,
  readings: Readings,
): number | undefined {
  if (branches.length === 1) return 0
  for (const [i, branch] of branches.entries()) {
    const entries = followEntries(pathOf(branch.there), flows, sourcePort)
    if (
      [...entries.values()].some(({ answered }) => answered.source === branch.ip && answered.sourcePort === branch.port)
    )
      return i
  }
  const moved = branches.map(
    ({ there }) =>
      there.filter((hop) => hop.outcome === 'changed' && movedBy(hop.signs?.at(-1), hop.node, readings)! > 0).length,
  )
  const most = Math.max(...moved)
  const best = moved.flatMap((count, i) => (count === most ? [i] : []))
  if (most > 0 && best.length === 1) return best[0]
  const ends = branches.map(({ diesAt, there }) => there.find(({ number }) => number === diesAt)?.text)
  return ends.every((text) => text !== undefined && text === ends[0]) ? 0 : undefined
}

/** How far a sign moved; undefined where it does not count or was not read. */
export function movedBy(sign: Sign | undefined, node: string, { before, after }: Readings): number | undefined {
  const [first, last] = [before.get(node), after.get(node)]
  if (!sign || !first || !last) return undefined
  const [was, is] = [countOf(sign, first), countOf(sign, last)]
  return was === undefined || is === undefined ? undefined : is - was
}

function countOf(sign: Sign, view: NodeView): number | undefined {
  if (sign.what === 'counter') return view.counters.get(sign.name)
  if (sign.what === 'link') {
    const link = view.links.find(({ name }) => name === sign.name)
    if (sign.way === 'dropped') return link?.tx.dropped
    if (sign.way === 'otherhost') return link?.rx.otherhost
    return link?.[sign.way].packets
  }
  const same = (chain: Chain) =>
    chain.backend === sign.backend &&
    chain.family === sign.family &&
    chain.table === sign.table &&
    chain.name === sign.chain
  const chain = view.netfilter.chains.find(same)
  return sign.text === undefined ? chain?.policyPackets : chain?.rules.find(({ text }) => text === sign.text)?.packets
}

const passesRules = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING', 'route'])

/** What was seen at one hop: its node's table of connections where it is past the rules, else its counters. */
function observed(
  hop: Hop,
  way: 'there' | 'back',
  entries: ReadonlyMap<string, Entry>,
  readings: Readings,
): NonNullable<Hop['live']> {
  const signs = hop.signs ?? []
  const moved = signs.flatMap((sign) => {
    const by = movedBy(sign, hop.node, readings)
    return by === undefined ? [] : [{ sign, by }]
  })
  const counted = moved.map(({ sign, by }) => `${nameOf(sign)} ${by >= 0 ? '+' : ''}${by}`).join(', ')
  const entry = entries.get(hop.node)
  const tunnel = hop.text.startsWith('udp ')
  if (entry && hop.outcome !== 'dies' && passesRules.has(hop.place) && !tunnel) {
    if (way === 'there')
      return {
        seen: true,
        text: [`conntrack has it${entry.replied ? ', with its answer' : ', without an answer'}`, counted]
          .filter(Boolean)
          .join('; '),
      }
    return {
      seen: entry.replied,
      text: [entry.replied ? 'conntrack has the answer' : 'conntrack has no answer', counted]
        .filter(Boolean)
        .join('; '),
    }
  }
  if (moved.length === 0) return { seen: null, text: 'nothing counts here' }
  return { seen: moved.every(({ by }) => by > 0), text: counted }
}

function nameOf(sign: Sign): string {
  if (sign.what === 'counter') return sign.name
  if (sign.what === 'link') return `${sign.name} ${sign.way}`
  return sign.text === undefined ? `${sign.chain} policy` : `${sign.chain} rule`
}

/** Packets with these codes leave the cluster, and whoever gets them may answer. */
const strays = new Set(['KUBE_RULES_MISSING', 'PEER_ROUTE_MISSING', 'ROUTE_SHADOWED'])

/** Did the packet die where the dump says, or arrive where it says so? */
function judged(branch: Branch, { answer }: Sent, entries: ReadonlyMap<string, Entry>): LiveResult {
  const hops = [...branch.there, ...branch.back]
  const path = pathOf(branch.there)
  const everywhere = path.every((node) => entries.has(node))
  const refused = answer === 'refused' || answer === 'reset'
  // conntrack forgets a connection at once when its first answer refuses it: then the counters have to do
  const arrived = branch.there.every(({ live }) => live?.seen !== false)
  const answered =
    answer === 'connected' || answer === 'answered' || (refused && branch.diesAt === undefined && arrived)
  const sure =
    hops
      .filter(({ live, place }) => live?.seen === true && live.text.startsWith('conntrack') && place !== 'route')
      .at(-1)?.number ?? 0
  const lastSeen = Math.max(
    sure,
    ...hops.filter(({ live, number }) => live?.seen && number <= firstMissing(hops, sure)).map(({ number }) => number),
  )
  const dead = branch.diesAt === undefined ? undefined : hops.find(({ number }) => number === branch.diesAt)
  const where = (hop: Hop | undefined) => (hop ? `hop ${hop.number} (${hop.place} of ${hop.node})` : 'no hop')
  const last = hops.find(({ number }) => number === lastSeen)
  const result = { answer, answered, ...(lastSeen > 0 && { lastSeen }) }
  if (!dead) {
    const silent = answer === 'silent' && everywhere
    const agrees = branch.ok && (answered || silent)
    const what = silent
      ? 'nothing answered, but every node on the way has seen the packet'
      : refused
        ? `${answer}: nothing listens there, and the answer that says so came back`
        : answer
    const missing = hops.find(({ number, live }) => number > lastSeen && live?.seen === false)
    const text = agrees
      ? `${what}: prediction and reality agree`
      : `${answer}: the packet should have arrived; last seen at ${where(last)}${missing ? `, missing at ${where(missing)}` : ''}`
    return { ...result, agrees, text }
  }
  const strayed = answered && strays.has(dead.code ?? '')
  if (strayed) {
    const told = `${answer}, but not by who was meant`
    return {
      ...result,
      answered: false,
      agrees: true,
      text: `${told}: it left the cluster at ${where(dead)}, as predicted, and something outside answers there`,
    }
  }
  const refusal = dead.place === 'socket' && (answer === 'refused' || answer === 'silent')
  const early = firstMissing(hops, sure) < dead.number
  const beyond = sure > dead.number
  const quiet = dead.live?.seen === false
  const agrees = refusal || (!answered && !early && !beyond && !quiet)
  const text = agrees
    ? `${answer}; it died at ${where(dead)}, as predicted${dead.live?.seen ? `: ${dead.live.text}` : ''}`
    : answered
      ? `${answer}: it arrived, though it should have died at ${where(dead)}`
      : `${answer}; last seen at ${where(last)}, and predicted to die at ${where(dead)}`
  return { ...result, agrees, text }
}

/** The first hop after the last sure sign at which nothing moved; past the end where there is none. */
function firstMissing(hops: readonly Hop[], sure: number): number {
  return (
    hops.find(({ number, live, outcome }) => number > sure && live?.seen === false && outcome !== 'dies')?.number ??
    hops.length + 1
  )
}

function undecided(trace: Trace, { answer }: Sent): LiveResult {
  const answered = answer === 'connected' || answer === 'answered'
  const any = trace.branches.some(({ ok }) => ok === answered)
  return {
    answer,
    answered,
    agrees: any,
    text: `${answer}; nothing tells which of the ${trace.branches.length} ways it took`,
  }
}
