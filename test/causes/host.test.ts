import { describe, expect, it } from 'vitest'
import { hostCauses } from '../../src/causes/host.ts'
import { pictureOf } from '../../src/dump/picture.ts'
import type { ClusterDump } from '../../src/model/dump.ts'
import {
  addLine,
  addNft,
  broken,
  dropLines,
  editCluster,
  editJson,
  healthy,
  nodeOf,
  type OpenDump,
  replace,
  setSysctl,
} from '../dump/healthy.ts'
import { findings } from './findings.ts'
import { eachComesAlone, eachIsWell, type Row } from './rows.ts'

const saved = 'iptables-save'
/** Puts rules before the COMMIT of the table filter of iptables-save, where the first FORWARD rule is. */
const before = (dump: OpenDump, node: string, line: string, mark: string) => addLine(dump, node, saved, line, mark)
const firstInput = '-A INPUT -m conntrack --ctstate NEW'
const firstForward = '-A FORWARD -m conntrack --ctstate NEW'
const firstPostrouting = '-A POSTROUTING -m comment --comment "kubernetes postrouting rules"'

const cases: Row[] = [
  {
    fault: 'ip_forward is 0',
    edit: (dump) => setSysctl(dump, 'w1', 'net.ipv4.ip_forward', '0'),
    code: 'IP_FORWARD_OFF',
    where: 'w1',
    shows: 'net.ipv4.ip_forward = 0',
  },
  {
    fault: 'flannel.1 does not forward',
    edit: (dump) => setSysctl(dump, 'w1', 'net.ipv4.conf.flannel.1.forwarding', '0'),
    code: 'FORWARDING_OFF',
    where: 'w1',
    shows: 'net.ipv4.conf.flannel/1.forwarding = 0',
  },
  {
    fault: 'bridge-nf-call-iptables is 0',
    edit: (dump) => setSysctl(dump, 'cp1', 'net.bridge.bridge-nf-call-iptables', '0'),
    code: 'BR_NETFILTER_OFF',
    where: 'cp1',
    shows: 'net.bridge.bridge-nf-call-iptables = 0',
  },
  {
    fault: 'br_netfilter is not loaded',
    edit: (dump) => dropLines(dump, 'cp1', 'sysctls', 'net/bridge'),
    code: 'BR_NETFILTER_OFF',
    where: 'cp1',
    shows: 'cannot stat',
  },
  {
    fault: 'few inotify instances',
    edit: (dump) => setSysctl(dump, 'w1', 'fs.inotify.max_user_instances', '16'),
    code: 'INOTIFY_LIMIT',
    where: 'w1',
    shows: 'max_user_instances = 16',
  },
  {
    fault: 'kube-proxy ended for want of watchers',
    edit: (dump) => {
      setSysctl(dump, 'w1', 'fs.inotify.max_user_instances', '128')
      editCluster(dump, ({ pods }) => {
        const pod = pods.find(({ name, node }) => name.startsWith('kube-flannel-ds') && node === 'w1')!
        pod.containers[0]!.ended = 'failed to create watcher: too many open files'
      })
    },
    code: 'INOTIFY_LIMIT',
    where: 'w1',
    shows: 'too many open files',
  },
  {
    fault: 'the table of connections is full',
    edit: (dump) => setSysctl(dump, 'w1', 'net.netfilter.nf_conntrack_count', '262144'),
    code: 'CONNTRACK_FULL',
    where: 'w1',
    shows: 'nf_conntrack_count = 262144',
  },
  {
    fault: 'the tunnel is dropped in INPUT',
    edit: (dump) => before(dump, 'w1', '[9:900] -A INPUT -p udp -m udp --dport 8472 -j DROP', firstInput),
    code: 'TUNNEL_PORT_BLOCKED',
    where: 'w1',
    shows: '-A INPUT -p udp -m udp --dport 8472 -j DROP',
  },
  {
    fault: 'the tunnel of one peer is rejected',
    edit: (dump) =>
      before(
        dump,
        'w1',
        '[9:900] -A INPUT -s 192.168.56.11/32 -p udp -m udp --dport 8472 -j REJECT --reject-with icmp-port-unreachable',
        firstInput,
      ),
    code: 'TUNNEL_PORT_BLOCKED',
    where: 'w1',
    shows: '-s 192.168.56.11/32',
  },
  {
    fault: 'the tunnel is dropped on its way out',
    edit: (dump) =>
      before(dump, 'w1', '[9:900] -A OUTPUT -p udp -m udp --dport 8472 -j DROP', '-A OUTPUT -m conntrack'),
    code: 'TUNNEL_PORT_BLOCKED',
    where: 'w1',
    shows: '-A OUTPUT -p udp',
  },
  {
    fault: 'the tunnel is dropped in raw PREROUTING',
    edit: (dump) =>
      replace(
        dump,
        'w1',
        saved,
        '*mangle\n:PREROUTING ACCEPT [0:0]',
        '*raw\n:PREROUTING ACCEPT [0:0]\n[9:9] -A PREROUTING -p udp -m udp --dport 8472 -j DROP\nCOMMIT\n*mangle\n:PREROUTING ACCEPT [0:0]',
      ),
    code: 'TUNNEL_PORT_BLOCKED',
    where: 'w1',
    shows: '-A PREROUTING -p udp',
  },
  {
    fault: 'pods may not talk to their node',
    edit: (dump) => before(dump, 'w1', '[9:900] -A INPUT -i cni0 -j DROP', firstInput),
    code: 'INPUT_DROP_FROM_PODS',
    where: 'w1',
    shows: '-A INPUT -i cni0 -j DROP',
  },
  {
    fault: 'the API server may not talk to the kubelet',
    edit: (dump) =>
      before(dump, 'w1', '[9:900] -A INPUT -s 192.168.56.0/24 -p tcp -m tcp --dport 10250 -j DROP', firstInput),
    code: 'KUBELET_PORT_BLOCKED',
    where: 'w1',
    shows: '--dport 10250 -j DROP',
  },
  {
    fault: 'nobody may talk to the kubelet',
    edit: (dump) => before(dump, 'w1', '[9:900] -A INPUT -p tcp -m tcp --dport 10250 -j DROP', firstInput),
    code: 'KUBELET_PORT_BLOCKED',
    where: 'w1',
    shows: '--dport 10250 -j DROP',
  },
  {
    fault: 'nobody but the host itself may make a connection to the API server',
    edit: (dump) =>
      before(
        dump,
        'cp1',
        '[9:900] -A INPUT ! -i lo -p tcp -m tcp --dport 6443 -m conntrack --ctstate NEW -j DROP',
        firstInput,
      ),
    code: 'API_PORT_BLOCKED',
    where: 'cp1',
    shows: '--dport 6443',
  },
  {
    fault: 'what an older flannel masqueraded is still in its chain',
    edit: (dump) =>
      before(dump, 'w1', '[9:9] -A FLANNEL-POSTRTG -s 10.32.0.0/12 ! -d 224.0.0.0/4 -j MASQUERADE', '-A KUBE-EXT-'),
    code: 'RULES_OF_OLD_CLUSTER',
    where: 'w1',
    shows: '-s 10.32.0.0/12',
  },
  {
    fault: 'nodes may not talk to the API server',
    edit: (dump) => before(dump, 'cp1', '[9:900] -A INPUT -i eth1 -p tcp -m tcp --dport 6443 -j REJECT', firstInput),
    code: 'API_PORT_BLOCKED',
    where: 'cp1',
    shows: '--dport 6443 -j REJECT',
  },
  {
    fault: 'the policy of FORWARD is DROP and FLANNEL-FWD is gone',
    edit: (dump) => {
      replace(
        dump,
        'w1',
        saved,
        ':FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:FLANNEL-FWD',
        ':FORWARD DROP [7:70]\n:OUTPUT ACCEPT [0:0]\n:FLANNEL-FWD',
      )
      dropLines(dump, 'w1', saved, '-j FLANNEL-FWD')
    },
    code: 'FORWARD_DROP',
    where: 'w1',
    shows: '-P FORWARD DROP',
  },
  {
    fault: 'a rule before FLANNEL-FWD drops one pod network',
    edit: (dump) => before(dump, 'w1', '[9:900] -A FORWARD -s 10.244.0.0/24 -i flannel.1 -j DROP', firstForward),
    code: 'FORWARD_DROP',
    where: 'w1',
    shows: '-A FORWARD -s 10.244.0.0/24 -i flannel.1 -j DROP',
  },
  {
    fault: 'a rule drops DNS that is forwarded',
    edit: (dump) => before(dump, 'w1', '[9:900] -A FORWARD -p udp -m udp --dport 53 -j DROP', firstForward),
    code: 'FORWARD_DROP',
    where: 'w1',
    shows: '--dport 53 -j DROP',
  },
  {
    fault: 'the table security drops what FLANNEL-FWD accepted',
    edit: (dump) =>
      replace(
        dump,
        'w1',
        saved,
        '*mangle\n:PREROUTING ACCEPT [0:0]',
        '*security\n:FORWARD ACCEPT [0:0]\n[9:9] -A FORWARD -i flannel.1 -o cni0 -j DROP\nCOMMIT\n*mangle\n:PREROUTING ACCEPT [0:0]',
      ),
    code: 'FIREWALL_LATE_DROP',
    where: 'w1',
    shows: '-A FORWARD -i flannel.1 -o cni0 -j DROP',
  },
  {
    fault: 'a table of nftables drops what FLANNEL-FWD accepted',
    edit: (dump) =>
      addNft(dump, 'w1', 'forward', 10, 'drop', [{ match: ctState(['established', 'related']) }, { accept: null }]),
    code: 'FIREWALL_LATE_DROP',
    where: 'w1',
    shows: 'type filter hook forward priority 10; policy drop;',
  },
  {
    fault: 'NodePorts are dropped before kube-proxy sees them',
    edit: (dump) =>
      replace(
        dump,
        'w1',
        saved,
        '*mangle\n:PREROUTING ACCEPT [0:0]\n',
        '*mangle\n:PREROUTING ACCEPT [0:0]\n[9:9] -A PREROUTING -i eth1 -p tcp -m tcp --dport 30000:32767 -j DROP\n',
      ),
    code: 'NODEPORT_BLOCKED',
    where: 'w1',
    shows: '--dport 30000:32767 -j DROP',
  },
  {
    fault: 'strict rp_filter where answers leave by another card',
    edit: (dump) => {
      setSysctl(dump, 'w1', 'net.ipv4.conf.eth1.rp_filter', '1')
      addLine(dump, 'w1', 'routes', '192.168.56.11 via 172.17.0.1 dev eth0')
    },
    code: 'RP_FILTER',
    where: 'w1',
    shows: '192.168.56.11 via 172.17.0.1 dev eth0',
  },
  {
    fault: 'no default route',
    edit: (dump) => dropLines(dump, 'w1', 'routes', /^default via/),
    code: 'NO_SERVICE_ROUTE',
    where: 'w1',
    shows: 'Network is unreachable',
  },
  {
    fault: 'rules of an older cluster in iptables-legacy',
    edit: (dump) => {
      nodeOf(dump, 'w1').parts['iptables-legacy-save'] = oldCluster
    },
    code: 'RULES_OF_OLD_CLUSTER',
    where: 'w1',
    shows: '10.32.0.7:8443',
  },
  {
    fault: 'the same rules in iptables-legacy and iptables-nft',
    edit: (dump) => {
      nodeOf(dump, 'w1').parts['iptables-legacy-save'] = nodeOf(dump, 'w1').parts[saved]!.replaceAll('(nf_tables)', '')
    },
    code: 'IPTABLES_MODE_MIX',
    where: 'w1',
    shows: '-A KUBE-',
  },
  {
    fault: 'a rule masquerades everything that pods send',
    edit: (dump) => before(dump, 'w1', '[9:9] -A POSTROUTING -s 10.244.1.0/24 -j MASQUERADE', firstPostrouting),
    code: 'POD_SNAT_RULE',
    where: 'w1',
    shows: '-A POSTROUTING -s 10.244.1.0/24 -j MASQUERADE',
  },
  {
    fault: 'a rule masquerades what goes to one peer',
    edit: (dump) =>
      before(
        dump,
        'w1',
        '[9:9] -A POSTROUTING -d 10.244.0.0/24 -o flannel.1 -j SNAT --to-source 192.168.56.12',
        firstPostrouting,
      ),
    code: 'POD_SNAT_RULE',
    where: 'w1',
    shows: '--to-source 192.168.56.12',
  },
  {
    fault: 'FLANNEL-POSTRTG is gone',
    edit: (dump) => dropLines(dump, 'w1', saved, 'FLANNEL-POSTRTG'),
    code: 'FLANNEL_RULES_LOST',
    where: 'w1',
    shows: 'No chain/target/match',
  },
  {
    fault: 'flannel no longer leaves out packets between pods',
    edit: (dump) => dropLines(dump, 'w1', saved, /-A FLANNEL-POSTRTG .*RETURN/),
    code: 'FLANNEL_RULES_LOST',
    where: 'w1',
    shows: 'MASQUERADE',
  },
  {
    fault: "flannel's rules are for another network",
    edit: (dump) => replace(dump, 'w1', saved, /(?<=-A FLANNEL-POSTRTG.*)10\.244\.0\.0\/16/, '10.32.0.0/16'),
    code: 'FLANNEL_RULES_LOST',
    where: 'w1',
    shows: '-A FLANNEL-POSTRTG',
  },
  {
    fault: 'FLANNEL-FWD is gone',
    edit: (dump) => dropLines(dump, 'w1', saved, 'FLANNEL-FWD'),
    code: 'FLANNEL_RULES_LOST',
    where: 'w1',
    shows: 'No chain/target/match',
    level: 'warning',
  },
  {
    fault: 'two nodes have one machine-id',
    edit: (dump) =>
      replace(
        dump,
        'w1',
        'identity',
        /machine-id .*/,
        `machine-id ${pictureOf(healthy() as ClusterDump).nodes.get('cp1')!.identity.machineId}`,
      ),
    code: 'DUPLICATE_MACHINE_ID',
    where: 'cp1, w1',
    shows: '7e583c48071c4eb1bada23961f54814c',
    level: 'warning',
  },
  {
    fault: 'two nodes have one MAC address',
    edit: (dump) => {
      const mac = pictureOf(healthy() as ClusterDump)
        .nodes.get('cp1')!
        .links.find(({ name }) => name === 'eth1')!.mac
      // biome-ignore lint/suspicious/noExplicitAny: it is whatever ip printed
      editJson(dump, 'w1', 'links', (links: any[]) => {
        links.find(({ ifname }) => ifname === 'eth1').address = mac
      })
    },
    code: 'DUPLICATE_MAC',
    where: 'cp1, w1',
    shows: 'eth1',
  },
  {
    fault: 'two machines have one product_uuid',
    edit: (dump) => {
      for (const node of ['cp1', 'w1'])
        replace(dump, node, 'identity', 'container yes', 'product-uuid 4c4c4544-0042-3510-8051-b7c04f4e3333')
    },
    code: 'DUPLICATE_PRODUCT_UUID',
    where: 'cp1, w1',
    shows: '4c4c4544-0042-3510-8051-b7c04f4e3333',
    level: 'warning',
  },
  {
    fault: 'systemd-networkd looks after flannel.1',
    edit: (dump) => {
      const { index } = pictureOf(dump as ClusterDump)
        .nodes.get('w1')!
        .links.find(({ name }) => name === 'flannel.1')!
      nodeOf(dump, 'w1').parts.networkd =
        `/run/systemd/netif/links/${index}:NETWORK_FILE=/etc/systemd/network/50-all.network\n`
    },
    code: 'NETWORKD_FLUSH',
    where: 'w1',
    shows: '/etc/systemd/network/50-all.network',
    level: 'warning',
  },
  {
    fault: 'a certificate has ended',
    edit: (dump) =>
      replace(dump, 'cp1', 'certificates', /(apiserver.crt) notAfter=.*/, '$1 notAfter=Nov 20 06:09:11 2026 GMT'),
    code: 'CERT_EXPIRING',
    where: 'cp1',
    shows: '2026-11-20',
  },
]

const oldCluster = `# Generated by iptables-save v1.8.9 on Sat Nov 21 06:40:37 2026
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]
:KUBE-SEP-AAAAAAAAAAAAAAAA - [0:0]
[0:0] -A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
[0:0] -A KUBE-SERVICES -d 10.43.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y
[0:0] -A KUBE-SVC-NPX46M4PTMTKRN6Y -m comment --comment "default/kubernetes:https -> 10.32.0.7:8443" -j KUBE-SEP-AAAAAAAAAAAAAAAA
[0:0] -A KUBE-SEP-AAAAAAAAAAAAAAAA -p tcp -m comment --comment "default/kubernetes:https" -m tcp -j DNAT --to-destination 10.32.0.7:8443
COMMIT
`

const ctState = (states: string[]) => ({ op: 'in', left: { ct: { key: 'state' } }, right: states })

describe('what is wrong with a host is named', () => {
  eachComesAlone(cases)

  it('finds nothing where all is well', () => {
    expect(findings(pictureOf(healthy() as ClusterDump))).toEqual([])
  })
})

describe('what is no fault of a host', () => {
  eachIsWell(
    [
      [
        'a podCIDR that is not the one that flannel took',
        (dump) =>
          editCluster(dump, ({ nodes }) => {
            nodes.find(({ name }) => name === 'w1')!.podCIDRs = ['10.244.0.0/24']
          }),
      ],
      ['strict rp_filter where answers go back the same way', strictButSymmetric],
      ['product_uuid that containers of one machine share', sameUuidInContainers],
      [
        'masquerading of what leaves the cluster',
        (dump) => before(dump, 'w1', '[9:9] -A POSTROUTING -s 10.244.0.0/16 -o eth0 -j MASQUERADE', firstPostrouting),
      ],
      [
        'a default route with another metric, and one for IPv6',
        (dump) =>
          addLine(
            dump,
            'w1',
            'routes',
            'unreachable default dev lo table unspec proto kernel metric 4294967295 error -101 pref medium',
          ),
      ],
      [
        'a drop for another port of the node',
        (dump) => before(dump, 'w1', '[9:9] -A INPUT -p tcp -m tcp --dport 9100 -j DROP', firstInput),
      ],
      [
        'a limit for new connections',
        (dump) =>
          before(
            dump,
            'w1',
            '[9:9] -A INPUT -p tcp -m connlimit --connlimit-above 100 --connlimit-mask 32 --connlimit-saddr -j REJECT',
            firstInput,
          ),
      ],
      [
        'systemd-networkd that leaves routes of others alone',
        (dump) => {
          const { index } = pictureOf(dump as ClusterDump)
            .nodes.get('w1')!
            .links.find(({ name }) => name === 'flannel.1')!
          nodeOf(dump, 'w1').parts.networkd =
            `ManageForeignRoutes=no\n/run/systemd/netif/links/${index}:NETWORK_FILE=/etc/systemd/network/50-all.network\n`
        },
      ],
      [
        'packets that are invalid',
        (dump) => before(dump, 'w1', '[9:9] -A FORWARD -m conntrack --ctstate INVALID -j DROP', firstForward),
      ],
      [
        'the firewall of another network provider, whose ways are its own',
        (dump) => {
          replace(
            dump,
            'w1',
            saved,
            ':FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:FLANNEL-FWD',
            ':FORWARD DROP [7:70]\n:OUTPUT ACCEPT [0:0]\n:FLANNEL-FWD',
          )
          for (const node of ['cp1', 'w1']) {
            dropLines(dump, node, saved, 'FLANNEL-')
            delete nodeOf(dump, node).parts['flannel-env']
          }
          editCluster(dump, ({ configs }) => {
            configs.provider = 'calico'
            delete configs.flannel
          })
        },
      ],
    ],
    hostCauses,
  )

  it('a certificate that ends in three weeks is a warning', () => {
    const found = findings(
      broken((dump) =>
        replace(dump, 'cp1', 'certificates', /(apiserver.crt) notAfter=.*/, '$1 notAfter=Dec 12 06:09:11 2026 GMT'),
      ),
    )
    expect(found.map(({ code, level, message }) => `${level} ${code} ${message}`)).toEqual([
      'warning CERT_EXPIRING /etc/kubernetes/pki/apiserver.crt of cp1 ends in 20 days',
    ])
  })

  it("the kubelet's own certificate, which nobody checks, is a warning even when it has ended", () => {
    const found = findings(
      broken((dump) =>
        replace(dump, 'cp1', 'certificates', /(kubelet.crt) notAfter=.*/, '$1 notAfter=Nov 12 06:09:11 2026 GMT'),
      ),
    )
    expect(found.map(({ code, level }) => `${level} ${code}`)).toEqual(['warning CERT_EXPIRING'])
  })
})

function strictButSymmetric(dump: OpenDump): void {
  for (const device of ['all', 'eth0', 'eth1', 'flannel.1', 'cni0'])
    setSysctl(dump, 'w1', `net.ipv4.conf.${device}.rp_filter`, '1')
}

function sameUuidInContainers(dump: OpenDump): void {
  for (const node of ['cp1', 'w1']) addLine(dump, node, 'identity', 'product-uuid 4c4c4544-0042-3510-8051-b7c04f4e3333')
}

describe('what can be mended safely says how', () => {
  const remedyOf = (edit: (dump: OpenDump) => void) => findings(broken(edit))[0]!.remedy

  it('a kernel setting is set back to what it was by undo', () => {
    expect(remedyOf((dump) => setSysctl(dump, 'w1', 'net.ipv4.ip_forward', '0'))).toEqual([
      { node: 'w1', actions: [{ kind: 'sysctl', key: 'net.ipv4.ip_forward', was: '0', want: '1' }] },
    ])
  })

  it('what belongs to the machine below a container is left alone', () => {
    expect(remedyOf((dump) => setSysctl(dump, 'w1', 'fs.inotify.max_user_instances', '16'))).toBeUndefined()
  })

  it('on a machine of its own it is raised', () => {
    const remedy = remedyOf((dump) => {
      dropLines(dump, 'w1', 'identity', 'container yes')
      setSysctl(dump, 'w1', 'fs.inotify.max_user_instances', '16')
    })
    expect(remedy?.[0]?.actions).toContainEqual({
      kind: 'sysctl',
      key: 'fs.inotify.max_user_instances',
      was: '16',
      want: '8192',
    })
  })
})
