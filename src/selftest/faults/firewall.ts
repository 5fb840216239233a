import type { Fault } from '../fault.ts'
import { rule } from './rule.ts'

const table = (chain: string) => ({
  make: `nft -f - <<'END'
table inet selftest {
  chain it { ${chain} }
}
END`,
  undo: 'nft delete table inet selftest',
})
const fresh = '-m conntrack --ctstate NEW'

/** Firewalls between the nodes, the pods and the outside, and the rules of flannel. */
export const firewall: readonly Fault[] = [
  {
    code: 'FORWARD_DROP',
    title: 'a rule drops what pods send to other nodes',
    on: 'worker',
    level: 'quick',
    ...rule('FORWARD', '-o flannel.1 -j DROP'),
  },
  {
    code: 'FORWARD_DROP',
    title: 'the policy of FORWARD is DROP, and the rules of flannel are gone',
    on: 'worker',
    level: 'quick',
    make: 'freeze flanneld && iptables -w -P FORWARD DROP && take filter FORWARD "-j FLANNEL-FWD"',
    undo: 'iptables -w -P FORWARD ACCEPT; give; thaw flanneld',
  },
  {
    code: 'FIREWALL_LATE_DROP',
    title: 'a second firewall drops what the first accepts',
    on: 'worker',
    level: 'quick',
    ...table('type filter hook forward priority 50; iifname "flannel.1" drop;'),
  },
  {
    code: 'TUNNEL_PORT_BLOCKED',
    title: 'INPUT drops the packets of the tunnel',
    on: 'worker',
    level: 'quick',
    ...rule('INPUT', '-p udp --dport 8472 -j DROP'),
  },
  {
    code: 'TUNNEL_PORT_BLOCKED',
    title: 'a firewall of nftables rejects the tunnel of one peer',
    on: 'worker',
    level: 'quick',
    make: `nft -f - <<END
table inet selftest {
  chain it { type filter hook input priority -10; ip saddr $OTHER_IP udp dport 8472 reject with icmpx admin-prohibited; }
}
END`,
    undo: 'nft delete table inet selftest',
  },
  {
    code: 'INPUT_DROP_FROM_PODS',
    title: 'a node takes nothing from its own pods',
    on: 'worker',
    level: 'full',
    ...rule('INPUT', `-i cni0 ${fresh} -j DROP`),
  },
  {
    code: 'KUBELET_PORT_BLOCKED',
    title: 'the kubelet of a node cannot be reached',
    on: 'worker',
    level: 'full',
    ...rule('INPUT', '-p tcp --dport 10250 -j DROP'),
  },
  {
    code: 'API_PORT_BLOCKED',
    title: 'the API server takes no new connection of another host',
    on: 'leader',
    level: 'quick',
    ...rule('INPUT', `! -i lo -p tcp --dport 6443 ${fresh} -j DROP`),
  },
  {
    code: 'NODEPORT_BLOCKED',
    title: 'NodePorts are dropped before they are translated',
    on: 'worker',
    level: 'quick',
    ...rule('PREROUTING -t mangle', '-p tcp --dport 30000:32767 -j DROP'),
  },
  {
    code: 'POD_SNAT_RULE',
    title: 'a rule masquerades from pod to pod',
    on: 'worker',
    level: 'quick',
    ...rule('POSTROUTING -t nat', '-s 10.244.0.0/16 -o flannel.1 -j MASQUERADE'),
  },
  {
    code: 'FLANNEL_RULES_LOST',
    title: 'the NAT rules of flannel are unhooked',
    on: 'worker',
    level: 'static',
    make: 'freeze flanneld && take nat POSTROUTING "-j FLANNEL-POSTRTG"',
    undo: 'give; thaw flanneld',
  },
  {
    code: 'IPTABLES_MODE_MIX',
    title: 'rules of Kubernetes also stand in iptables-legacy',
    on: 'worker',
    level: 'static',
    make: `iptables-legacy -w -t nat -N KUBE-SERVICES && iptables-legacy -w -t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p udp --dport 53 -j RETURN &&
iptables-legacy -w -t nat -I OUTPUT -j KUBE-SERVICES`,
    undo: 'iptables-legacy -w -t nat -D OUTPUT -j KUBE-SERVICES; iptables-legacy -w -t nat -F KUBE-SERVICES; iptables-legacy -w -t nat -X KUBE-SERVICES',
  },
  {
    code: 'RULES_OF_OLD_CLUSTER',
    title: 'the masquerading of an older pod network is still there',
    on: 'worker',
    level: 'static',
    make: 'freeze flanneld && iptables -w -t nat -A FLANNEL-POSTRTG -s 10.32.0.0/12 ! -d 224.0.0.0/4 -j MASQUERADE',
    undo: 'iptables -w -t nat -D FLANNEL-POSTRTG -s 10.32.0.0/12 ! -d 224.0.0.0/4 -j MASQUERADE; thaw flanneld',
  },
]
