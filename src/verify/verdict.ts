import type { Code } from '../model/codes.ts'
import type { Case } from './case.ts'
import { uneven } from './chance.ts'
import type { Expectation, Probe, ProbeResult } from './probe.ts'
import type { Fault } from './trouble.ts'

/** What a result means: a fault, or well, perhaps with something that a reader should know; or nothing is known. */
export interface Verdict {
  readonly fault?: Fault
  readonly note?: string
  /** What was counted. */
  readonly evidence?: string
  readonly unknown?: string
}

/** Slower than this, a DNS answer came to a second question: the first packet was lost. */
const stallMs = 4500

/** Judges one probe's result. `code` is what its case says when nothing comes back, `way` the packet's way for the evidence. */
export function verdictOf(item: Case, probe: Probe, result: ProbeResult, code: Code, way: string): Verdict {
  const said = `${way}: ${result.text} (${result.ms} ms)`
  const fault = (evidence: string, of: Code = code): Verdict => ({ fault: { code: of, evidence } })
  const { expect } = probe
  switch (expect.what) {
    case 'endpoints':
      return ofEndpoints(expect, result, way, code)
    case 'shares':
      return ofShares(expect, item, result, way, said)
    case 'server':
      return ofServer(expect, item, result, way, said, code)
    case 'silence':
      return result.ok
        ? fault(`${said}, and ${item.to} has no endpoint: it must not answer`)
        : { note: 'with externalTrafficPolicy Local a node that has no endpoint does not answer, by design' }
    case 'policy': {
      if (!result.ok) return { note: `NetworkPolicies are enforced: deny-all keeps ${item.to} silent` }
      const text = `deny-all does not keep ${item.to} from answering ${item.from}`
      if (expect.enforcer !== undefined) return fault(`${text}, though ${expect.enforcer} runs`)
      return { note: `NETPOL_NOT_ENFORCED: NetworkPolicies have no effect here, for nothing enforces them: ${text}` }
    }
  }
  if (!result.ok) {
    if (expect.what === 'moved' && result.text === 'never') return { unknown: `no socket was led to ${expect.gone}` }
    if (expect.what === 'whole' && result.text === 'unreadable') return { unknown: `${said}: no counters to compare` }
    const [kept, of] = result.text.split(' ').slice(1)
    if (expect.what === 'moved' && of)
      return fault(
        `${way}: ${kept} of ${of} sockets that ${expect.gone} answered got no other answer in ${result.ms} ms`,
      )
    return fault(said, expect.what === 'moved' ? 'SERVICE_UNREACHABLE' : code)
  }
  if (expect.what === 'address') {
    const [rcode, addresses = ''] = result.text.split(' ')
    if (rcode === 'NXDOMAIN' && expect.optional) return { note: `${said}: ${expect.optional}` }
    if (rcode !== 'NOERROR' || addresses !== expect.ip) return fault(`${said}, expected ${expect.ip}`)
    if (result.ms >= stallMs) return fault(said, 'DNS_SLOW')
  }
  if (expect.what === 'same') {
    const names = result.text.split(' ')[0] ?? ''
    if (names.includes(',')) return fault(`${way}: one client was led to ${names}`)
  }
  if (expect.what === 'whole') return ofFragments(item, result, way)
  return {}
}

function ofEndpoints(
  { names, want = names.length }: Extract<Expectation, { what: 'endpoints' }>,
  result: ProbeResult,
  way: string,
  code: Code,
): Verdict {
  const [why = '', seen = '', answers = '0'] = result.ok ? ['', result.text] : result.text.split(' ')
  const hit = names.filter((name) => seen.split(',').includes(name))
  const missed = names.filter((name) => !hit.includes(name))
  if (hit.length >= want) return {}
  if (hit.length === 0) return { fault: { code, evidence: `${way}: ${why} (${result.ms} ms)` } }
  const evidence = `${way}: ${answers} connections reached ${seen}, none reached ${missed.join(',')}`
  return { fault: { code: 'SERVICE_ENDPOINT_MISSED', evidence } }
}

/** `b-cp1=98,b-w1=102 10.244.1.2 0 -`: who answered how often, whom they saw, how many failed and why. */
function ofShares(
  { names, alpha, seen }: Extract<Expectation, { what: 'shares' }>,
  { to }: Case,
  result: ProbeResult,
  way: string,
  said: string,
): Verdict {
  if (!result.ok) return { fault: { code: 'SERVICE_UNREACHABLE', evidence: said } }
  const [counts = '', saw = '', lost = '0', why = ''] = result.text.split(' ')
  const of = new Map(counts.split(',').map((pair) => pair.split('=') as [string, string]))
  const shares = names.map((name) => Number(of.get(name) ?? 0))
  const total = shares.reduce((sum, share) => sum + share, 0)
  const list = names.map((name, i) => `${name} ${shares[i]}`).join(', ')
  if (Number(lost) > 0) {
    const evidence = `${way}: ${lost} of ${total + Number(lost)} connections failed: ${why}`
    return { fault: { code: 'SERVICE_UNREACHABLE', evidence } }
  }
  if (seen !== undefined && saw !== seen) {
    const evidence = `${way}: servers of ${to} saw ${saw}, expected ${seen}`
    return { fault: { code: 'POD_SNAT_VIOLATION', evidence } }
  }
  const odd = uneven(shares, alpha)
  if (odd === null) return { evidence: `${way}: of ${total} connections ${list}` }
  const evidence = `${way}: of ${total} connections ${list}; by chance ${names[odd]} would get as few or many in less than one of a million runs`
  return { fault: { code: 'SERVICE_SPREAD_UNEVEN', evidence } }
}

function ofServer(
  expect: Extract<Expectation, { what: 'server' }>,
  item: Case,
  result: ProbeResult,
  way: string,
  said: string,
  code: Code,
): Verdict {
  if (!result.ok) {
    if (expect.soft) return { unknown: `${said}: a firewall of ${item.to} may refuse ports that it does not know` }
    return { fault: { code, evidence: said } }
  }
  const [name, seen = ''] = result.text.split(' ')
  if (name !== expect.name)
    return item.scenario === 'containers'
      ? { fault: { code, evidence: `${said}, expected ${expect.name}` } }
      : {
          fault: { code: 'POD_IP_DUPLICATE', evidence: `${said}: ${name} answers at the IP of ${expect.name}` },
        }
  const saw = `${way}: server on ${item.to} saw ${seen}`
  if (expect.seen !== undefined && seen !== expect.seen)
    return { fault: { code: 'POD_SNAT_VIOLATION', evidence: `${saw}, expected ${expect.seen}` } }
  if (expect.hidden?.includes(seen)) return { fault: { code, evidence: `${saw}, expected ${item.source}` } }
  if (expect.ideal === undefined || seen === expect.ideal) return {}
  return { evidence: `${saw} in place of ${expect.ideal}`, ...(item.deviation && { note: item.deviation }) }
}

/** `1450 8 16 8`: the packets of this size that were sent, fragments made here, and packets joined again there. */
function ofFragments({ from, to }: Case, result: ProbeResult, way: string): Verdict {
  const [mtu, sent = 0, made = 0, joined = 0] = result.text.split(' ').map(Number)
  if (made < 2 * sent && joined < sent) return {}
  const evidence = `${way}: ${sent} packets of ${mtu} bytes: Ip.FragCreates on ${from} +${made}, Ip.ReasmOKs on ${to} +${joined}`
  return { fault: { code: 'OUTER_FRAGMENTED', evidence } }
}
