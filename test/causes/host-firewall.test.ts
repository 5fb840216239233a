import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { hostCauses } from '../../src/causes/host.ts'
import { pictureOf } from '../../src/dump/picture.ts'
import type { Breaks } from '../../src/model/cause.ts'
import type { ClusterDump, Picture } from '../../src/model/dump.ts'
import { editJson, healthy, type OpenDump, partOf } from '../dump/healthy.ts'

const saved = 'iptables-save'
const textOf = (name: string): string => readFileSync(new URL(`firewalls/${name}`, import.meta.url), 'utf8')

const found = (picture: Picture): string[] =>
  hostCauses.flatMap((cause) => cause.find(picture).map(({ where }) => `${cause.code} ${where}`))

function picture(edit: (dump: OpenDump) => void): Picture {
  const dump = healthy()
  edit(dump)
  return pictureOf(dump as ClusterDump)
}

/**
 * w1 with the filter table of a firewall that was there before: kube-proxy and the kubelet put their jumps first, flannel puts
 * its own last.
 */
function withFilter(dump: OpenDump, text: string): void {
  const node = dump.nodes.find(({ node }) => node === 'w1')!
  const tables = partOf(dump, 'w1', saved).split(/(?=^\*)/m)
  const at = tables.findIndex((table) => table.startsWith('*filter'))
  const own = tables[at]!.split('\n')
  const theirs = text
    .split(/(?=^\*)/m)
    .find((table) => table.startsWith('*filter'))!
    .split('\n')
  const chains = (lines: string[]) => lines.filter((line) => line.startsWith(':'))
  const rules = (lines: string[]) => lines.filter((line) => line.includes('-A '))
  const last = (line: string) => line.includes('-j FLANNEL-FWD')
  const ofHooks = new Set(chains(theirs).map((line) => line.split(' ')[0]))
  tables[at] = [
    '*filter',
    ...chains(theirs),
    ...chains(own).filter((line) => !ofHooks.has(line.split(' ')[0])),
    ...rules(own).filter((line) => !last(line)),
    ...rules(theirs),
    ...rules(own).filter(last),
    'COMMIT\n',
  ].join('\n')
  node.parts[saved] = tables.join('')
}

/** w1 with what nft lists of another firewall, beside what it has. */
function withNft(dump: OpenDump, text: string): void {
  const { nftables } = JSON.parse(text) as { nftables: Record<string, unknown>[] }
  editJson(dump, 'w1', 'nft', (json) => {
    json.nftables.push(...nftables.filter((one) => !('metainfo' in one)))
  })
}

/** The rules that Docker makes on a host: a policy of DROP, and chains for its own bridge. */
const docker = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
`

describe('a firewall that was opened rightly is no fault', () => {
  it.each([
    ['Docker, whose FORWARD drops what flannel does not accept', (dump: OpenDump) => withFilter(dump, docker)],
    ['ufw', (dump: OpenDump) => withFilter(dump, textOf('ufw-open.txt'))],
    ['firewalld', (dump: OpenDump) => withNft(dump, textOf('firewalld-open.txt'))],
    ['nftables', (dump: OpenDump) => withNft(dump, textOf('nftables-open.txt'))],
  ])('%s', (_, edit) => {
    expect(found(picture(edit))).toEqual([])
  })
})

describe('a firewall that was not opened is one fault, not one for each port', () => {
  it.each([
    ['ufw', (dump: OpenDump) => withFilter(dump, textOf('ufw-bare.txt')), ['TUNNEL_PORT_BLOCKED w1']],
    [
      'firewalld',
      (dump: OpenDump) => withNft(dump, textOf('firewalld-bare.txt')),
      ['TUNNEL_PORT_BLOCKED w1', 'FIREWALL_LATE_DROP w1'],
    ],
    [
      'nftables',
      (dump: OpenDump) => withNft(dump, textOf('nftables-bare.txt')),
      ['TUNNEL_PORT_BLOCKED w1', 'FIREWALL_LATE_DROP w1'],
    ],
    [
      'Docker, where flannel has no rules',
      (dump: OpenDump) => {
        withFilter(dump, docker)
        dump.nodes[1]!.parts[saved] = partOf(dump, 'w1', saved).replaceAll(/^.*FLANNEL-FWD.*\n/gm, '')
      },
      ['FORWARD_DROP w1'],
    ],
  ] as const)('%s', (_, edit, codes) => {
    expect(found(picture(edit))).toEqual(codes)
  })
})

describe('what a finding explains', () => {
  const breaksOf = (line: string, before: string): Breaks => {
    const it = picture((dump) => {
      const node = dump.nodes.find(({ node }) => node === 'w1')!
      node.parts[saved] = partOf(dump, 'w1', saved).replace(before, `${line}\n${before}`)
    })
    const [finding, ...more] = hostCauses.flatMap((cause) => cause.find(it))
    expect(more).toEqual([])
    return finding!.breaks
  }
  const input = firstOf('INPUT')
  const forward = firstOf('FORWARD')

  it('one peer that is dropped explains the pair, not the node', () => {
    const breaks = breaksOf('[1:1] -A INPUT -s 192.168.56.11/32 -p udp -m udp --dport 8472 -j DROP', input)
    expect(breaks).toMatchObject({ acrossOnly: true })
    expect([...(breaks.pairs ?? []), ...(breaks.nodes ?? [])]).toContainEqual('w1')
  })

  it('a rule for the pods of one bridge explains only what stays on the node', () => {
    expect(breaksOf('[1:1] -A FORWARD -i cni0 -o cni0 -j DROP', forward)).toMatchObject({
      nodes: ['w1'],
      withinOnly: true,
    })
  })

  it('a rule for one protocol explains only that', () => {
    expect(breaksOf('[1:1] -A FORWARD -i flannel.1 -p udp -j DROP', forward).protocols).toEqual(['udp'])
  })

  it('a rule for DNS explains only names', () => {
    expect(breaksOf('[1:1] -A FORWARD -p udp -m udp --dport 53 -j DROP', forward).scenarios).toEqual(['dns'])
  })
})

function firstOf(chain: string): string {
  return partOf(healthy(), 'w1', saved)
    .split('\n')
    .find((line) => line.includes(`-A ${chain} -m conntrack --ctstate NEW`))!
}
