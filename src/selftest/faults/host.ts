import type { Code } from '../../model/codes.ts'
import type { Fault } from '../fault.ts'

/** A setting of the kernel that has to be 1 is 0 on a worker. */
const off = (code: Code, title: string, key: string): Fault => ({
  code,
  title,
  on: 'worker',
  level: 'quick',
  make: `sysctl -qw ${key}=0`,
  undo: `sysctl -qw ${key}=1`,
})

/** Settings of the kernel, identities, certificates, the node itself. */
export const host: readonly Fault[] = [
  off('IP_FORWARD_OFF', 'a node does not forward', 'net.ipv4.ip_forward'),
  off('FORWARDING_OFF', 'flannel.1 of a node does not forward', 'net.ipv4.conf.flannel/1.forwarding'),
  off('FORWARDING_OFF', 'the bridge of a node does not forward', 'net.ipv4.conf.cni0.forwarding'),
  off('BR_NETFILTER_OFF', 'the bridge of a node passes the rules by', 'net.bridge.bridge-nf-call-iptables'),
  {
    code: 'RP_FILTER',
    title: 'strict rp_filter, and answers to a peer leave by another interface',
    on: 'worker',
    level: 'quick',
    make: `uplink && sysctl -qw "net.ipv4.conf.$device.rp_filter=1" &&
ip route add "$OTHER_IP/32" via "$(ip -4 route show default | awk '{ print $3; exit }')"`,
    undo: `uplink && sysctl -qw "net.ipv4.conf.$device.rp_filter=0"; ip route del "$OTHER_IP/32"`,
  },
  {
    code: 'NO_SERVICE_ROUTE',
    title: 'a node has no default route',
    on: 'worker',
    level: 'full',
    make: 'ip -4 route show default >"$S/default" && ip -4 route del default',
    undo: '[ ! -s "$S/default" ] || eval "ip route replace $(head -n 1 "$S/default")"',
  },
  {
    code: 'DUPLICATE_MACHINE_ID',
    title: 'two nodes were cloned from one',
    on: ['worker', 'other'],
    level: 'static',
    make: '[ -f "$S/machine-id" ] || cp /etc/machine-id "$S/machine-id"; echo 51000000000000000000000000000051 >/etc/machine-id',
    undo: 'cat "$S/machine-id" >/etc/machine-id; rm "$S/machine-id"',
  },
  {
    code: 'CERT_EXPIRING',
    title: 'a certificate ends tomorrow',
    on: 'leader',
    level: 'static',
    make: `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=selftest \\
  -keyout /dev/null -out /etc/kubernetes/pki/selftest.crt 2>/dev/null`,
    undo: 'rm -f /etc/kubernetes/pki/selftest.crt',
  },
]
