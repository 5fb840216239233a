import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { exec } from '../../src/actions/exec.ts'
import type { ExecAction } from '../../src/model/action.ts'
import { dropLines, editLink, healthy, type OpenDump, replace } from '../dump/healthy.ts'
import { foundIn } from './findings.ts'
import { macOf, podOn, tunnelDown } from './pod-network-faults.ts'

const before = '0e:aa:bb:cc:dd:ee'
const cp1 = macOf(healthy(), 'cp1')
const { veth } = podOn(healthy())

/** w1 of the fixture, as far as its pod network goes, in a network namespace of its own. */
const node = `
ip link set lo up
ip link add eth1 type veth peer name uplink && ip link set uplink up
ip addr add 192.168.56.12/24 dev eth1 && ip link set eth1 up
ip link add flannel.1 type vxlan id 1 dev eth1 local 192.168.56.12 dstport 8472 nolearning
ip addr add 10.244.1.0/32 dev flannel.1 && ip link set flannel.1 mtu 1450 up
ip link add cni0 type bridge && ip addr add 10.244.1.1/24 dev cni0 && ip link set cni0 up
ip link add ${veth} type veth peer name inside && ip link set inside up
ip link set ${veth} master cni0 up && bridge link set dev ${veth} hairpin on
ip neigh add 10.244.0.0 lladdr ${cp1} dev flannel.1 nud permanent
bridge fdb add ${cp1} dev flannel.1 dst 192.168.56.11
ip route add 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink
`

const state = `
ip -4 route show | sed 's/ linkdown//; s/ *$//'
ip neigh show dev flannel.1
bridge fdb show dev flannel.1
ip -o link show | grep -oE '^[0-9]+: [^ ]+ |mtu [0-9]+|master [^ ]+|[<,]UP[,>]' | tr -d ',<>'
bridge -d link show | grep -oE 'hairpin (on|off)' || true
`

/** What the commands print, one after another, in a network namespace that is new. */
function inNode(...scripts: string[]): string[] {
  const said = spawnSync('unshare', ['-n', 'sh', '-e'], {
    input: [node, ...scripts].join('\necho ====\n'),
    encoding: 'utf8',
  })
  expect(said.stderr).toBe('')
  expect(said.status).toBe(0)
  return said.stdout.split('====\n').slice(1)
}

const shell = (actions: readonly ExecAction[]): string =>
  actions.map((action) => `(${exec.compile(action)})`).join('\n')

const faults: { name: string; make: string; edit: (dump: OpenDump) => void; left?: string }[] = [
  { name: 'flannel.1 is down', make: 'ip link set flannel.1 down', edit: tunnelDown },
  {
    name: 'the route and the neighbour are gone',
    make: 'ip route del 10.244.0.0/24; ip neigh del 10.244.0.0 dev flannel.1',
    edit: (dump) => {
      dropLines(dump, 'w1', 'routes', 'dev flannel.1 onlink')
      dropLines(dump, 'w1', 'neighbours', 'dev flannel.1')
    },
  },
  {
    name: 'an old MAC address',
    make: `ip neigh replace 10.244.0.0 lladdr ${before} dev flannel.1 nud permanent; bridge fdb del ${cp1} dev flannel.1 dst 192.168.56.11; bridge fdb add ${before} dev flannel.1 dst 192.168.56.11`,
    edit: (dump) => {
      for (const part of ['neighbours', 'fdb']) replace(dump, 'w1', part, cp1, before)
    },
    // the entry of the old one does no harm
    left: `${before} dst 192.168.56.11 self permanent\n`,
  },
  {
    name: 'no neighbour',
    make: 'ip neigh del 10.244.0.0 dev flannel.1',
    edit: (dump) => dropLines(dump, 'w1', 'neighbours', 'dev flannel.1'),
  },
  {
    name: 'no FDB entry',
    make: `bridge fdb del ${cp1} dev flannel.1 dst 192.168.56.11`,
    edit: (dump) => dropLines(dump, 'w1', 'fdb', ' dev flannel.1 dst '),
  },
  {
    name: 'an FDB entry for another host',
    make: `bridge fdb replace ${cp1} dev flannel.1 dst 192.168.56.99`,
    edit: (dump) => replace(dump, 'w1', 'fdb', 'dst 192.168.56.11', 'dst 192.168.56.99'),
  },
  {
    name: 'another MTU',
    make: 'ip link set flannel.1 mtu 1300',
    edit: (dump) => editLink(dump, 'w1', 'flannel.1', (link) => (link.mtu = 1300)),
  },
  {
    name: 'the link of a pod is off the bridge',
    make: `ip link set ${veth} nomaster`,
    edit: (dump) => editLink(dump, 'w1', veth, (link) => delete link.master),
  },
]

describe('a safe change of verify --fix, in the kernel', () => {
  it.each(faults)(
    'mends it, does nothing more when it runs again, and is taken back: $name',
    ({ make, edit, left }) => {
      const dump = healthy()
      edit(dump)
      const actions = foundIn(dump)[0]!.remedy!.flatMap((of) => of.actions) as ExecAction[]
      const back = actions.toReversed().flatMap(({ undo }) => (undo === 'nothing' ? [] : undo)) as ExecAction[]
      const [well, , broken, , mended, , again, , undone] = inNode(
        state,
        make,
        state,
        shell(actions),
        state,
        shell(actions),
        state,
        shell(back),
        state,
      )
      expect(broken).not.toBe(well)
      expect(mended!.replace(left ?? '', '')).toBe(well)
      expect(again).toBe(mended)
      expect(undone).toBe(broken)
    },
  )

  it('is no trouble to take back where flannel made its device anew', () => {
    for (const { edit } of faults) {
      const dump = healthy()
      edit(dump)
      const actions = foundIn(dump)[0]!.remedy!.flatMap((of) => of.actions) as ExecAction[]
      const back = actions.flatMap(({ undo }) => (undo === 'nothing' ? [] : undo)) as ExecAction[]
      inNode('ip link del flannel.1', `ip link del ${veth}`, shell(back))
    }
  })
})
