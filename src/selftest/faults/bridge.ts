import type { Fault } from '../fault.ts'

/** The selftest's own pod of the node is what these are done to; so no probe pod is needed, and none could be made with some. */
const onPod = { on: 'worker', level: 'static' } as const
const known = 'read -r pid veth <"$S/pods"'
const inPod = (command: string) => `nsenter -t "$pid" -n ${command}`
/** Of all pods that were found, one after the other. */
const eachVeth = (command: string) => `while read -r pid veth; do ${command}; done <"$S/pods"`

/** The bridge of a node and the links of its pods. */
export const bridge: readonly Fault[] = [
  {
    ...onPod,
    code: 'CNI0_DOWN',
    title: 'the bridge is set down',
    make: 'ip link set cni0 down',
    undo: 'ip link set cni0 up',
  },
  {
    ...onPod,
    code: 'CNI0_ADDRESS_WRONG',
    title: 'the bridge has an address of an earlier membership',
    make: 'subnet && printf "%s\\n" "$net" >"$S/net" && ip addr add 10.244.77.1/24 dev cni0 && ip addr del "$net"1/24 dev cni0',
    undo: 'ip addr add "$(cat "$S/net")1/24" brd + dev cni0; ip addr del 10.244.77.1/24 dev cni0',
  },
  {
    ...onPod,
    code: 'CNI0_MISSING',
    title: 'the bridge is deleted below its pods',
    make: `subnet && printf "%s\\n" "$net" >"$S/net" && cat /sys/class/net/cni0/address >"$S/mac" &&
ls /sys/class/net/cni0/brif >"$S/veths" && ip link del cni0`,
    undo: `ip link show cni0 >/dev/null 2>&1 || ip link add cni0 address "$(cat "$S/mac")" mtu 1450 type bridge
ip addr replace "$(cat "$S/net")1/24" brd + dev cni0; ip link set cni0 up
while read -r veth; do ip link set "$veth" master cni0 && bridge link set dev "$veth" hairpin on; done <"$S/veths"`,
  },
  {
    ...onPod,
    code: 'VETH_DETACHED',
    title: 'the link of a pod is taken off the bridge',
    make: 'pod "$NS" waits && ip link set "$veth" nomaster',
    undo: `${known} && ip link set "$veth" master cni0 && bridge link set dev "$veth" hairpin on`,
  },
  {
    code: 'VETH_DETACHED',
    title: 'the links of the CoreDNS pods are set down',
    on: ['leader', 'worker', 'other'],
    level: 'quick',
    // where the pods are is up to the scheduler
    make: `pod kube-system coredns; ${eachVeth('ip link set "$veth" down')}`,
    undo: eachVeth('ip link set "$veth" up'),
  },
  {
    ...onPod,
    code: 'POD_ROUTE_MISSING',
    title: 'a pod loses its default route',
    make: `pod "$NS" waits && ${inPod('ip route del default')}`,
    undo: `${known} && subnet && ${inPod('ip route replace default via "$net"1 dev eth0')}`,
  },
  {
    ...onPod,
    code: 'POD_LINK_DOWN',
    title: "a pod's own interface is set down",
    make: `pod "$NS" waits && ${inPod('ip -4 route show')} | sed '/ via /!d' >"$S/routes" && ${inPod('ip link set eth0 down')}`,
    undo: `${known} && ${inPod('ip link set eth0 up')}
while read -r route; do eval "${inPod('ip route replace').replace(/"/g, '')} $route"; done <"$S/routes"`,
  },
  {
    ...onPod,
    code: 'HAIRPIN_OFF',
    title: 'the port of a pod sends nothing back',
    make: 'pod "$NS" waits && bridge link set dev "$veth" hairpin off',
    undo: `${known} && bridge link set dev "$veth" hairpin on`,
  },
]
