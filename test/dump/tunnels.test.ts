import { describe, expect, it } from 'vitest'
import { synthetic } from '../../bench/synthetic.mjs'
import { causes } from '../../src/causes/index.ts'
import { pictureOf } from '../../src/dump/picture.ts'
import type { ClusterDump } from '../../src/model/dump.ts'
import { deviationsOf, linesOf, peersOf } from '../../src/model/tunnels.ts'
import { addLine, dropLines, editCluster, healthy, nodeOf, type OpenDump, replace } from './healthy.ts'

const five = (): OpenDump => JSON.parse(JSON.stringify(synthetic(5)))
const deviations = (dump: OpenDump) => {
  const picture = pictureOf(dump as ClusterDump)
  return [...picture.nodes.values()].flatMap((view) => deviationsOf(picture, view, 'flannel.1'))
}

describe.each([
  ['the real cluster', healthy],
  ['a synthetic one of five nodes', five],
  ['a synthetic one of 300 nodes', () => synthetic(300) as unknown as OpenDump],
])('%s', (_, make) => {
  it('has in every table what the peers announce', () => {
    const dump = make()
    expect(peersOf(pictureOf(dump as ClusterDump))).toHaveLength(dump.nodes.length)
    expect(deviations(dump)).toEqual([])
  })
})

describe('a table that differs from what is announced', () => {
  const peer = { node: 'w-0003' }
  it.each<[string, (dump: OpenDump) => void, object]>([
    [
      'a MAC in the neighbours',
      (d) => replace(d, 'w-0001', 'neighbours', 'fa:9e:60:53:00:03', 'fa:9e:60:53:aa:aa'),
      { table: 'neighbours', peer, found: ['10.128.3.0 dev flannel.1 lladdr fa:9e:60:53:aa:aa PERMANENT'] },
    ],
    [
      'no neighbour',
      (d) => dropLines(d, 'w-0001', 'neighbours', '10.128.3.0'),
      { table: 'neighbours', peer, found: [], expected: '10.128.3.0 dev flannel.1 lladdr fa:9e:60:53:00:03 PERMANENT' },
    ],
    [
      'an address in the FDB',
      (d) => replace(d, 'w-0001', 'fdb', 'dst 10.64.1.3', 'dst 10.64.1.33'),
      { table: 'fdb', peer, found: ['fa:9e:60:53:00:03 dev flannel.1 dst 10.64.1.33 self permanent'] },
    ],
    [
      'a route that is gone',
      (d) => dropLines(d, 'w-0001', 'routes', '10.128.3.0/24'),
      { table: 'routes', peer, found: [] },
    ],
    [
      'a route elsewhere',
      (d) =>
        replace(
          d,
          'w-0001',
          'routes',
          '10.128.3.0/24 via 10.128.3.0 dev flannel.1 onlink',
          '10.128.3.0/24 via 10.64.1.3 dev eth1',
        ),
      { table: 'routes', peer, found: ['10.128.3.0/24 via 10.64.1.3 dev eth1'] },
    ],
    [
      'a second route',
      (d) => addLine(d, 'w-0001', 'routes', '10.128.3.0/24 dev eth9 scope link metric 5', '10.128.3.0/24'),
      { table: 'routes', peer },
    ],
    [
      'a neighbour that nobody announces',
      (d) =>
        addLine(
          d,
          'w-0001',
          'neighbours',
          '10.128.99.0 dev flannel.1 lladdr 02:00:00:00:00:01 PERMANENT',
          '10.128.3.0 dev',
        ),
      { table: 'neighbours', found: ['10.128.99.0 dev flannel.1 lladdr 02:00:00:00:00:01 PERMANENT'] },
    ],
    [
      'a route that nobody announces',
      (d) => addLine(d, 'w-0001', 'routes', '10.128.99.0/24 via 10.128.99.0 dev flannel.1 onlink', '10.128.3.0/24'),
      { table: 'routes', found: ['10.128.99.0/24 via 10.128.99.0 dev flannel.1 onlink'] },
    ],
  ])('%s', (_, edit, wanted) => {
    const dump = five()
    edit(dump)
    const found = deviations(dump)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ node: 'w-0001', ...wanted })
    if (!('peer' in wanted)) expect(found[0]!.peer).toBeUndefined()
  })

  it('on every node, where one announces something else than the others know', () => {
    const dump = five()
    editCluster(dump, ({ nodes }) => {
      const { annotations } = nodes.find(({ name }) => name === 'w-0003')!
      annotations['flannel.alpha.coreos.com/public-ip'] = '10.64.9.9'
    })
    expect(deviations(dump).map(({ node, table, peer }) => [node, table, peer?.node])).toEqual(
      ['cp1', 'w-0001', 'w-0002', 'w-0004'].map((node) => [node, 'fdb', 'w-0003']),
    )
  })

  it('has nothing to say of a table that could not be read', () => {
    const dump = five()
    for (const part of ['routes', 'fdb', 'neighbours']) delete nodeOf(dump, 'w-0002').parts[part]
    expect(deviations(dump)).toEqual([])
  })
})

it('finds the lines of one device and not of one whose name begins alike', () => {
  expect(linesOf('a dev flannel.1 x\nb dev flannel.10 x\nc dev flannel.1\n', 'flannel.1')).toEqual([
    'a dev flannel.1 x',
    'c dev flannel.1',
  ])
})

it('makes synthetic clusters that no cause objects to, so that the benchmark measures a cluster that is well', () => {
  const picture = pictureOf(synthetic(12))
  expect(causes.flatMap((cause) => cause.find(picture).map(({ where }) => `${cause.code} ${where}`))).toEqual([])
})
