import { describe, expect, it } from 'vitest'
import { causes } from '../../src/causes/index.ts'
import { pictureOf } from '../../src/dump/picture.ts'
import type { ClusterDump } from '../../src/model/dump.ts'
import { trace } from '../../src/trace/trace.ts'
import { findAll } from '../../src/verify/explain.ts'
import { dropLines, type OpenDump } from '../dump/healthy.ts'
import { recordedDump } from '../dump/recorded.ts'

const picture = (dump: OpenDump) => pictureOf(dump as ClusterDump)
const found = (dump: OpenDump) =>
  findAll(causes, picture(dump)).found.map(
    ({ cause, finding }) => `${finding.level ?? 'error'} ${cause.code} ${finding.where}`,
  )
/** The only Service of the cluster that has no pods was made for the recording. */
const calm = ['warning SERVICE_NO_ENDPOINTS default/on']

describe('a cluster with bridge and host-local and static routes', () => {
  it('has no trouble, and no cause that is only of flannel is looked for', () => {
    expect(found(recordedDump('bridge'))).toEqual(calm)
    const { skipped } = findAll(causes, picture(recordedDump('bridge')))
    expect(skipped.length).toBeGreaterThan(25)
    expect(new Set(skipped.map(({ why }) => why))).toEqual(
      new Set(["the pod network is not flannel; flannel's own state is not looked at"]),
    )
    expect(skipped.map(({ code }) => code)).not.toContain('PEER_ROUTE_MISSING')
  })

  it('that lost one of its routes is told which, and how to add it', () => {
    const dump = recordedDump('bridge')
    dropLines(dump, 'w1', 'routes', /^10\.244\.3\.0\/24 via /)
    expect(found(dump)).toEqual(['error PEER_ROUTE_MISSING w1 -> w2', ...calm])
    const { finding } = findAll(causes, picture(dump)).found[0]!
    expect(finding.breaks).toEqual({ pairs: [['w1', 'w2']] })
    expect(finding.evidence).toContainEqual({ source: 'w1: ip route show 10.244.3.0/24', line: '(nothing)' })
    expect(finding.fix).toContain('ip route add 10.244.3.0/24 via 192.168.57.13')
  })

  it('that lost all routes of a node is told once', () => {
    const dump = recordedDump('bridge')
    dropLines(dump, 'w1', 'routes', /^10\.244\.\d\.0\/24 via /)
    expect(found(dump)).toEqual(['error PEER_ROUTE_MISSING w1', ...calm])
  })

  it.each<[string, (dump: OpenDump) => void]>([
    [
      'a route to the whole pod network in place of one for each node',
      (dump) => {
        const parts = dump.nodes.find(({ node }) => node === 'w1')!.parts as Record<string, string>
        parts.routes = parts.routes!.replaceAll(
          /^10\.244\.\d\.0\/24 via .*$/gm,
          '10.244.0.0/16 via 192.168.57.1 dev eth1',
        )
      },
    ],
    [
      'no such routes on any node, for its packets go another way',
      (dump) => {
        for (const { node } of dump.nodes) dropLines(dump, node, 'routes', /^10\.244\.\d\.0\/24 via /)
      },
    ],
  ])('is well with %s', (_, edit) => {
    const dump = recordedDump('bridge')
    edit(dump)
    expect(found(dump)).toEqual(calm)
  })
})

describe('a cluster of two families with IPv6 first', () => {
  it('has no trouble', () => {
    expect(found(recordedDump('six-first'))).toEqual([])
  })

  it('has a way from pod to pod on another node, and to the probe Service, by IPv4', () => {
    const dump = recordedDump('six-first')
    const pod = (letter: string, node: string) => dump.cluster!.pods.find(({ name }) => name === `${letter}-${node}`)!
    const [from, to] = [pod('a', 'cp1'), pod('b', 'w1')].map((it) => `${it.namespace}/${it.name}`) as [string, string]
    for (const target of [`${to}:18420`, `svc/${from.split('/')[0]}/probe:18420/tcp`]) {
      const { packet, branches } = trace(picture(dump), from, target)
      expect(packet.source).toMatch(/^10\.244\.0\.\d+$/)
      expect(
        branches.map(({ ok }) => ok),
        target,
      ).not.toContain(false)
    }
  })
})
