import { describe, expect, it } from 'vitest'
import type { Trace } from '../../src/model/trace.ts'
import { traceText } from '../../src/view/trace.ts'
import { recorded } from './recorded.ts'

/** Where each recorded packet ended, as it was broken on the real cluster: `ok`, or node, place and code. */
const cases: readonly (readonly [name: string, end: string])[] = [
  ['healthy-same-node', 'ok'],
  ['healthy-cross-node', 'ok'],
  ['healthy-service', 'ok'],
  ['healthy-nodeport', 'ok'],
  ['masquerade-pods', 'ok'],
  ['veth-detached', 'w1 vethe1d8879c VETH_DETACHED'],
  ['port-8472-blocked', 'cp1 INPUT TUNNEL_PORT_BLOCKED'],
  ['fdb-missing', 'w1 fdb PEER_FDB_MISSING'],
  ['neigh-missing', 'w1 flannel.1 PEER_NEIGH_MISSING'],
  ['route-missing', 'w1 eth0 PEER_ROUTE_MISSING'],
  ['vtep-mac', 'cp1 flannel.1 VTEP_MAC_DRIFT'],
  ['service-rule-missing', 'w1 eth0 KUBE_RULES_MISSING'],
  ['hairpin-off', 'w1 vethe1d8879c HAIRPIN_OFF'],
  ['bridge-nf-off', 'w1 answer BR_NETFILTER_OFF'],
  ['nodeport-forward-drop', 'cp1 FORWARD FORWARD_DROP'],
  ['late-drop', 'cp1 FORWARD FIREWALL_LATE_DROP'],
  ['forwarding-off', 'cp1 forwarding FORWARDING_OFF'],
  ['nft-healthy-service', 'ok'],
  ['nft-healthy-nodeport', 'ok'],
  ['nft-healthy-sticky', 'ok'],
  ['nft-no-endpoints', 'w1 FORWARD SERVICE_NO_ENDPOINTS'],
  ['nft-service-missing', 'w1 FORWARD KUBE_RULES_MISSING'],
  ['nft-firewalld-like', 'cp1 INPUT TUNNEL_PORT_BLOCKED'],
  ['host-gw-healthy', 'ok'],
  ['host-gw-route-to-wrong-node', 'ok'],
  ['host-gw-no-way-back', 'w2 eth0 PEER_ROUTE_MISSING'],
  ['udp-healthy', 'ok'],
  ['udp-port-8285-blocked', 'w2 INPUT TUNNEL_PORT_BLOCKED'],
]

function endsOf({ branches }: Trace): string[] {
  return branches.map(({ ok, diesAt, there, back }) => {
    const hop = [...there, ...back].find(({ number }) => number === diesAt)
    return ok ? 'ok' : `${hop?.node} ${hop?.place} ${hop?.code ?? ''}`
  })
}

describe('a packet on a real cluster', () => {
  it.each(cases)('%s: the dump says where it ends: %s', (name, end) => {
    expect(endsOf(recorded(name).predicted)).toContain(end)
  })

  it.each(cases)('%s: the real packet did as the dump says', (name, end) => {
    const { live } = recorded(name)
    const taken = live.live?.branch === undefined ? undefined : live.branches[live.live.branch]
    expect(live.live).toMatchObject({ agrees: true, answered: end === 'ok' })
    expect(taken && endsOf({ ...live, branches: [taken] })).toEqual([end])
  })

  it.each(cases)('%s: every hop reads as the golden file says', async (name) => {
    const { live } = recorded(name)
    await expect(traceText(live, { color: false, all: true })).toMatchFileSnapshot(`golden/${name}.txt`)
  })

  it.each([
    ['port-8472-blocked', 'connected', 'it arrived, though it should have died at hop 11 (INPUT of cp1)'],
    ['healthy-cross-node', 'timeout', 'the packet should have arrived'],
    ['nft-no-endpoints', 'connected', 'it arrived, though it should have died'],
  ])('%s: would not agree with the answer %s', (name, answer, text) => {
    const { live } = recorded(name, answer)
    expect(live.live?.agrees).toBe(false)
    expect(live.live?.text).toContain(text)
  })
})

describe('the branches of a Service', () => {
  it.each([
    ['healthy-service', 2],
    ['healthy-nodeport', 2],
    ['nft-healthy-service', 3],
    ['nft-healthy-nodeport', 3],
  ])('%s: %i endpoints, each with the same share', (name, count) => {
    const { predicted } = recorded(name)
    expect(predicted.branches.map(({ share }) => share.toFixed(3))).toEqual(Array(count).fill((1 / count).toFixed(3)))
    expect(new Set(predicted.branches.map(({ to }) => to)).size).toBe(count)
  })

  it('has one where session affinity already chose', () => {
    expect(recorded('nft-healthy-sticky').predicted.branches.map(({ share }) => share)).toEqual([1])
  })
})

describe('what flannel and kube-proxy do on purpose', () => {
  const changes = (trace: Trace) =>
    trace.branches
      .flatMap(({ there }) => there.filter(({ outcome }) => outcome === 'changed').map(({ text }) => text))
      .join('\n')

  it('says that a NodePort hides its client', () => {
    expect(changes(recorded('healthy-nodeport').predicted)).toContain('kube-proxy hides the source behind this node')
  })

  it('names the node that a packet passes although it is not for it', () => {
    const hops = recorded('host-gw-route-to-wrong-node').predicted.branches[0]?.there ?? []
    expect([...new Set(hops.map(({ node }) => node))]).toEqual(['w1', 'cp1', 'w2'])
  })

  it('names a rule that hides pods from pods, although the packet arrives', () => {
    const hops = recorded('masquerade-pods').predicted.branches[0]?.there ?? []
    expect(hops.find(({ code }) => code === 'POD_SNAT_RULE')).toMatchObject({
      outcome: 'changed',
      place: 'POSTROUTING',
      node: 'w1',
    })
  })
})
