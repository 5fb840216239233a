import type { Fault } from '../fault.ts'

const sysctl = (on: Fault['on'], key: string, bad: number, good: number) => ({
  on,
  make: `sysctl -qw ${key}=${bad}`,
  undo: `sysctl -qw ${key}=${good}`,
})

/** Settings of the kernel, identities, certificates, the node itself. */
export const host: readonly Fault[] = [
  {
    code: 'IP_FORWARD_OFF',
    title: 'a node does not forward',
    level: 'quick',
    ...sysctl('worker', 'net.ipv4.ip_forward', 0, 1),
  },
  {
    code: 'FORWARDING_OFF',
    title: 'flannel.1 of a node does not forward',
    level: 'quick',
    ...sysctl('worker', 'net.ipv4.conf.flannel/1.forwarding', 0, 1),
  },
  {
    code: 'FORWARDING_OFF',
    title: 'the bridge of a node does not forward',
    level: 'quick',
    ...sysctl('worker', 'net.ipv4.conf.cni0.forwarding', 0, 1),
  },
  {
    code: 'BR_NETFILTER_OFF',
    title: 'the bridge of a node passes the rules by',
    level: 'quick',
    ...sysctl('worker', 'net.bridge.bridge-nf-call-iptables', 0, 1),
  },
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
