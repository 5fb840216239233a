import { describe, expect, it } from 'vitest'
import { podNetworkCauses } from '../../src/causes/pod-network.ts'
import { pictureOf } from '../../src/dump/picture.ts'
import {
  addLine,
  dropLines,
  editCluster,
  editJson,
  editLink,
  healthy,
  nodeOf,
  type OpenDump,
  partOf,
  replace,
} from '../dump/healthy.ts'
import { foundIn } from './findings.ts'
import { annotate, down, linkGone, macOf, podOn, tunnelDown } from './pod-network-faults.ts'
import { asDump, grown } from './pod-network-grown.ts'
import { eachIsWell } from './rows.ts'

/** Takes a node out, with all that others know of it. */
function without(dump: OpenDump, node: string): void {
  dump.nodes = dump.nodes.filter((it) => it.node !== node)
  editCluster(dump, (cluster) => {
    cluster.nodes = cluster.nodes.filter(({ name }) => name !== node)
    cluster.pods = cluster.pods.filter((pod) => pod.node !== node)
  })
}

/** The pods of a node go, and the bridge with them. */
function withoutPods(dump: OpenDump, node: string): void {
  const { parts } = nodeOf(dump, node)
  for (const name of Object.keys(parts)) if (name.startsWith('pod/')) delete parts[name]
  linkGone(dump, node, podOn2(dump, node))
  linkGone(dump, node, 'cni0')
  dropLines(dump, node, 'cni-leases', 'cbr0/')
  editCluster(dump, (cluster) => {
    cluster.pods = cluster.pods.filter((pod) => pod.node !== node || pod.hostNetwork)
  })
}

const podOn2 = (dump: OpenDump, node: string): string =>
  (JSON.parse(partOf(dump, node, 'links')) as { ifname: string }[]).find(({ ifname }) => ifname.startsWith('veth'))!
    .ifname

const well: [string, (dump: OpenDump) => void][] = [
  [
    'a cluster of one node',
    (dump) => {
      without(dump, 'w1')
      for (const part of ['routes', 'neighbours', 'fdb'])
        dropLines(dump, 'cp1', part, / dev flannel\.1 (onlink|lladdr|dst)/)
    },
  ],
  ['a node that has no pods yet, and so no bridge', (dump) => withoutPods(dump, 'w1')],
  [
    'a bridge whose last pod went: without carrier, and with the MTU that the kernel then gives it',
    (dump) => {
      const { parts } = nodeOf(dump, 'w1')
      for (const name of Object.keys(parts)) if (name.startsWith('pod/')) delete parts[name]
      linkGone(dump, 'w1', podOn2(dump, 'w1'))
      editLink(dump, 'w1', 'cni0', (link) =>
        Object.assign(link, { mtu: 1500, operstate: 'DOWN', flags: ['NO-CARRIER', 'BROADCAST', 'MULTICAST', 'UP'] }),
      )
      dump.cluster!.pods = dump.cluster!.pods.filter((pod) => pod.node !== 'w1' || pod.hostNetwork)
    },
  ],
  [
    'a pod that is leaving, its network half gone',
    (dump) => {
      const { pod, part } = podOn(dump)
      pod.leaving = true
      editLink(dump, 'w1', 'eth0', down, part('links'))
      dropLines(dump, 'w1', part('routes'), 'dev eth0')
    },
  ],
  [
    'a pod that ended, whose address another one has by now',
    (dump) => {
      const { pod } = podOn(dump)
      dump.cluster!.pods.push({ ...pod, name: 'done', uid: 'other', phase: 'Succeeded' })
    },
  ],
  [
    'a pod that is just being made: no address, an empty namespace',
    (dump) => {
      const { pod, part } = podOn(dump)
      dump.cluster!.pods.push({
        ...pod,
        name: 'new',
        uid: '00000000-1111-2222-3333-444444444444',
        ips: [],
        phase: 'Pending',
      })
      nodeOf(dump, 'w1').parts['pod/1/about'] = partOf(dump, 'w1', part('about')).replace(
        /pod[0-9a-f]{8}/,
        'pod00000000',
      )
      nodeOf(dump, 'w1').parts['pod/1/links'] = '[]'
    },
  ],
  [
    'a pod that runs containers of its own, with a network that is none of the cluster',
    (dump) => {
      const { part } = podOn(dump)
      nodeOf(dump, 'w1').parts['pod/1/about'] = partOf(dump, 'w1', part('about'))
      nodeOf(dump, 'w1').parts['pod/1/links'] =
        '[{"ifindex":7,"link_index":99,"ifname":"eth0","flags":[],"mtu":1500,"addr_info":[]}]'
      nodeOf(dump, 'w1').parts['pod/1/routes'] = '172.18.0.0/16 dev eth0 proto kernel scope link src 172.18.0.2'
    },
  ],
  [
    'a node that could not be read: the tables of the others are still as it announces',
    (dump) => {
      dump.nodes = dump.nodes.filter(({ node }) => node !== 'w1')
      dump.unread.push({ node: 'w1', why: 'connect: connection refused' })
    },
  ],
  [
    'a node whose tables could not be read',
    (dump) => {
      for (const part of [
        'links',
        'ports',
        'routes',
        'rules',
        'neighbours',
        'fdb',
        'cni-plugins',
        'flannel-env',
        'offload',
      ])
        delete nodeOf(dump, 'w1').parts[part]
      Object.assign(nodeOf(dump, 'w1').problems, {
        links: 'there is no ip on the host',
        'flannel-env': 'Permission denied',
      })
    },
  ],
  [
    'dual stack',
    (dump) => {
      editCluster(dump, ({ nodes, pods, configs }) => {
        configs.kubeadm!.podSubnet = '10.244.0.0/16,fd00:10:244::/56'
        configs.kubeadm!.serviceSubnet = '10.96.0.0/12,fd00:10:96::/112'
        configs.controllerManager!.clusterCIDR = configs.proxy!.clusterCIDR = configs.kubeadm!.podSubnet
        nodes.forEach((node, n) => {
          node.podCIDRs.push(`fd00:10:244:${n + 1}::/64`)
          node.internalIPs.push(`fd00:56::1${n + 1}`)
          node.annotations['flannel.alpha.coreos.com/public-ipv6'] = `fd00:56::1${n + 1}`
        })
        for (const pod of pods.filter(({ hostNetwork }) => !hostNetwork))
          pod.ips.push(
            `fd00:10:244:${nodes.findIndex(({ name }) => name === pod.node) + 1}::${pod.ips[0]!.split('.')[3]}`,
          )
      })
      for (const [n, { node, parts }] of dump.nodes.entries()) {
        editLink(dump, node, 'eth1', (link) =>
          link.addr_info.push({ family: 'inet6', local: `fd00:56::1${n + 1}`, prefixlen: 64, scope: 'global' }),
        )
        editJson(dump, node, 'links', (links) => {
          const tunnel = links.find(({ ifname }: { ifname: string }) => ifname === 'flannel.1')
          links.push({ ...tunnel, ifindex: 900, ifname: 'flannel-v6.1', mtu: 1430, addr_info: [] })
        })
        addLine(
          dump,
          node,
          'routes',
          `fd00:10:244:${2 - n}::/64 via fd00:10:244:${2 - n}:: dev flannel-v6.1 metric 1024 onlink pref medium`,
        )
        addLine(dump, node, 'routes', `fd00:10:244:${n + 1}::/64 dev cni0 proto kernel metric 256 pref medium`)
        for (const part of Object.keys(parts).filter((name) => /^pod\/\d+\/links$/.test(name)))
          editLink(
            dump,
            node,
            'eth0',
            (link) =>
              link.addr_info.push({
                family: 'inet6',
                local: `fd00:10:244:${n + 1}::${link.addr_info[0].local.split('.')[3]}`,
                prefixlen: 64,
                scope: 'global',
              }),
            part,
          )
      }
    },
  ],
  [
    'DirectRouting: straight routes between nodes of one link, and neither neighbour nor FDB',
    (dump) => {
      replace(
        dump,
        'cp1',
        'routes',
        '10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink',
        '10.244.1.0/24 via 192.168.56.12 dev eth1',
      )
      for (const part of ['neighbours', 'fdb']) dropLines(dump, 'cp1', part, macOf(dump, 'w1'))
    },
  ],
  [
    'host-gw',
    (dump) => {
      editCluster(dump, ({ configs, nodes }) => {
        configs.flannel!.backend = 'host-gw'
        for (const { annotations } of nodes) annotations['flannel.alpha.coreos.com/backend-data'] = 'null'
      })
      for (const { node } of dump.nodes) linkGone(dump, node, 'flannel.1')
      addLine(dump, 'cp1', 'routes', '10.244.1.0/24 via 192.168.56.12 dev eth1')
      addLine(dump, 'w1', 'routes', '10.244.0.0/24 via 192.168.56.11 dev eth1')
    },
  ],
  [
    "an address outside of a NAT that was set with flannel's --public-ip",
    (dump) => {
      annotate(dump, 'w1', 'public-ip', '203.0.113.7')
      replace(dump, 'cp1', 'fdb', 'dst 192.168.56.12', 'dst 203.0.113.7')
    },
  ],
  [
    'an address that was announced by hand',
    (dump) => {
      annotate(dump, 'w1', 'public-ip-overwrite', '192.168.56.200')
      annotate(dump, 'w1', 'public-ip', '192.168.56.200')
      replace(dump, 'cp1', 'fdb', 'dst 192.168.56.12', 'dst 192.168.56.200')
    },
  ],
  [
    'Docker beside it, a VPN with rules by marks, and a rule for the address of the node itself',
    (dump) => {
      addLine(dump, 'w1', 'routes', '172.30.0.0/16 dev docker0 proto kernel scope link src 172.30.0.1 linkdown')
      addLine(dump, 'w1', 'routes', '100.100.100.100 dev tailscale0 table 52')
      addLine(dump, 'w1', 'routes', 'default dev wg0 table 51820 scope link')
      addLine(dump, 'w1', 'routes', 'default via 192.168.56.1 dev eth1 table 101')
      for (const rule of [
        '5210:\tfrom all fwmark 0x80000/0xff0000 lookup main',
        '5270:\tfrom all lookup 52',
        '32763:\tfrom 192.168.56.12 lookup 101',
        '32764:\tfrom all lookup main suppress_prefixlength 0',
        '32765:\tnot from all fwmark 0xca6c lookup 51820',
      ])
        addLine(dump, 'w1', 'rules', rule, '32766:')
    },
  ],
  [
    'a route for all Services that was set on purpose',
    (dump) => addLine(dump, 'w1', 'routes', '10.96.0.0/12 dev eth1 scope link'),
  ],
  [
    'canal: the tunnels of flannel, and the pods connected by calico',
    (dump) => {
      editCluster(dump, ({ configs, pods }) => {
        configs.provider = 'calico'
        configs.flannel!.namespace = 'kube-system'
        pods.splice(0, pods.length, ...pods.filter(({ namespace }) => namespace !== 'kube-flannel'))
      })
      for (const { node, parts } of dump.nodes) {
        linkGone(dump, node, 'cni0')
        for (const name of Object.keys(parts))
          if (/^pod\/\d+\/routes$/.test(name)) parts[name] = 'default via 169.254.1.1 dev eth0'
        editJson(dump, node, 'links', (links) => {
          for (const link of links) if (link.master === 'cni0') delete link.master
        })
        delete parts['cni-conf/10-flannel.conflist']
        parts['cni-conf/10-canal.conflist'] =
          '{"name":"k8s-pod-network","plugins":[{"type":"calico","ipam":{"type":"host-local"}}]}'
        addLine(dump, node, 'cni-plugins', 'calico')
      }
    },
  ],
  [
    'multus in front of flannel',
    (dump) => {
      nodeOf(dump, 'w1').parts['cni-conf/00-multus.conf'] =
        '{"cniVersion":"0.3.1","name":"multus","type":"multus-shim"}'
      addLine(dump, 'w1', 'cni-plugins', 'multus-shim')
    },
  ],
  [
    'some leases of pods that are just being made',
    (dump) => {
      for (const n of [40, 41, 42]) addLine(dump, 'w1', 'cni-leases', `cbr0/10.244.1.${n}`)
    },
  ],
  [
    'a node that joined a moment ago: no annotations of flannel yet, and nobody has an entry',
    (dump) => {
      editCluster(dump, ({ nodes, pods }) => {
        const node = nodes.find(({ name }) => name === 'w1')!
        node.annotations = {}
        pods.splice(0, pods.length, ...pods.filter((pod) => pod.node !== 'w1'))
      })
      dump.nodes = dump.nodes.filter(({ node }) => node !== 'w1')
      for (const part of ['routes', 'neighbours', 'fdb'])
        dropLines(dump, 'cp1', part, / dev flannel\.1 (onlink|lladdr|dst)/)
    },
  ],
]

describe('the causes of the pod network find nothing in', () => {
  eachIsWell(well, podNetworkCauses)
})

describe('the causes of the pod network find nothing', () => {
  it('in a cluster that is well', () => {
    expect(foundIn(healthy())).toEqual([])
  })

  it('in a cluster of four nodes', () => {
    expect(foundIn(grown(3))).toEqual([])
  })

  it('where no API server answers, though they are all asked', () => {
    const dump = healthy()
    delete dump.cluster
    const picture = pictureOf(asDump(dump))
    expect(podNetworkCauses.flatMap((cause) => cause.find(picture))).toEqual([])
  })

  it('in a cluster with another network provider', () => {
    const dump = healthy()
    editCluster(dump, ({ nodes, configs, pods, ...rest }) => {
      delete configs.flannel
      configs.provider = 'cilium'
      for (const node of nodes) Object.assign(node, { podCIDRs: [], annotations: {} })
      pods.splice(0, pods.length, ...pods.filter(({ namespace }) => namespace !== 'kube-flannel'))
      for (const pod of pods) if (!pod.hostNetwork) pod.ips = [`10.0.0.${pods.indexOf(pod)}`]
      return rest
    })
    for (const { node, parts } of dump.nodes) {
      for (const name of Object.keys(parts)) if (name.startsWith('pod/')) delete parts[name]
      for (const link of ['flannel.1', 'cni0']) linkGone(dump, node, link)
      delete parts['flannel-env']
      delete parts['cni-conf/10-flannel.conflist']
      parts['cni-conf/05-cilium.conflist'] = '{"cniVersion":"0.3.1","name":"cilium","plugins":[{"type":"cilium-cni"}]}'
      addLine(dump, node, 'cni-plugins', 'cilium-cni')
      addLine(dump, node, 'routes', '10.244.0.0/24 via 10.244.0.77 dev cilium_host proto kernel src 10.244.0.77')
    }
    expect(foundIn(dump, podNetworkCauses)).toEqual([])
  })
})

describe('the causes of the pod network', () => {
  it('still find an old MAC where no API server answers', () => {
    const dump = healthy()
    replace(dump, 'cp1', 'neighbours', macOf(dump, 'w1'), '0e:aa:bb:cc:dd:ee')
    delete dump.cluster
    const picture = pictureOf(asDump(dump))
    const found = podNetworkCauses.flatMap((cause) => cause.find(picture).map(({ where }) => `${cause.code} ${where}`))
    expect(found).toEqual(['PEER_NEIGH_STALE cp1 -> w1'])
  })

  it('find what a node has of one that could not be read', () => {
    const dump = healthy()
    dump.nodes = dump.nodes.filter(({ node }) => node !== 'w1')
    replace(dump, 'cp1', 'neighbours', macOf(dump, 'w1'), '0e:aa:bb:cc:dd:ee')
    expect(foundIn(dump).map(({ code, where }) => `${code} ${where}`)).toEqual(['PEER_NEIGH_STALE cp1 -> w1'])
  })

  it('name a podCIDR outside of all networks, and nothing that follows from it', () => {
    const dump = healthy()
    editCluster(dump, ({ nodes }) => (nodes.find(({ name }) => name === 'w1')!.podCIDRs = ['10.99.1.0/24']))
    const found = foundIn(dump, podNetworkCauses)
    expect(found).toMatchObject([{ code: 'PODCIDR_OUTSIDE', where: 'w1', breaks: { nodes: ['w1'] } }])
    expect(found[0]?.evidence).toContainEqual({
      source: 'kubectl get node w1 -o yaml',
      line: 'spec.podCIDR: 10.99.1.0/24',
    })
  })

  it('name nodes that are not on one link where the backend is host-gw, and not the routes that cannot be there', () => {
    const dump = healthy()
    editCluster(dump, ({ configs, nodes }) => {
      configs.flannel!.backend = 'host-gw'
      for (const { annotations } of nodes) annotations['flannel.alpha.coreos.com/backend-data'] = 'null'
    })
    for (const { node } of dump.nodes) {
      linkGone(dump, node, 'flannel.1')
      editLink(dump, node, 'eth1', (link) => (link.addr_info[0].prefixlen = 32))
      dropLines(dump, node, 'routes', /^192\.168\.56\.0\/24/)
    }
    expect(foundIn(dump, podNetworkCauses)).toMatchObject([
      { code: 'HOST_GW_NOT_ADJACENT', where: 'cp1 -> w1', breaks: { pairs: [['cp1', 'w1']] } },
      { code: 'HOST_GW_NOT_ADJACENT', where: 'w1 -> cp1', breaks: { pairs: [['w1', 'cp1']] } },
    ])
  })

  it('give two faults at once their own pairs each', () => {
    const dump = grown(3)
    tunnelDown(dump)
    dropLines(dump, 'w2', 'fdb', 'dst 192.168.56.11')
    expect(foundIn(dump)).toMatchObject([
      { code: 'FLANNEL_LINK_DOWN', where: 'w1', breaks: { nodes: ['w1'], acrossOnly: true } },
      { code: 'PEER_FDB_MISSING', where: 'w2 -> cp1', breaks: { pairs: [['w2', 'cp1']] } },
    ])
  })

  it('read the tables of many nodes only where they are not as announced', () => {
    const dump = grown(60)
    dropLines(dump, 'w30', 'neighbours', '10.244.7.0 dev flannel.1')
    expect(foundIn(dump, podNetworkCauses).map(({ code, where }) => `${code} ${where}`)).toEqual([
      'PEER_NEIGH_MISSING w30 -> w7',
    ])
  })
})
