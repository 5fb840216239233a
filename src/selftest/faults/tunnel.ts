import type { Fault } from '../fault.ts'

/** What flannel's tunnel device knows of the other nodes, and they of it. */
const onWorker = { on: 'worker', level: 'quick', undo: 'restore_tunnel' } as const

export const tunnel: readonly Fault[] = [
  {
    ...onWorker,
    code: 'VTEP_MAC_DRIFT',
    title: 'flannel.1 gets another MAC address',
    make: 'save_tunnel && ip link set flannel.1 address 0e:51:00:00:00:01',
  },
  {
    ...onWorker,
    code: 'PEER_NEIGH_MISSING',
    title: 'the MAC address of a peer is forgotten',
    make: 'save_tunnel && peer "$LEADER_IP" && ip neigh del "$vtep" dev flannel.1',
  },
  {
    ...onWorker,
    code: 'PEER_NEIGH_STALE',
    title: 'an old MAC address of a peer is kept',
    make: 'save_tunnel && peer "$LEADER_IP" && ip neigh replace "$vtep" lladdr 0e:51:00:00:00:02 dev flannel.1 nud permanent',
  },
  {
    ...onWorker,
    code: 'PEER_FDB_MISSING',
    title: 'the host of a peer is forgotten',
    make: 'save_tunnel && peer "$PEER_IP" && bridge fdb del "$mac" dev flannel.1 dst "$PEER_IP"',
  },
  {
    ...onWorker,
    code: 'PEER_FDB_STALE',
    title: 'the tunnel packets for a peer go to a host that is gone',
    make: 'save_tunnel && peer "$PEER_IP" && nobody "$PEER_IP" && bridge fdb replace "$mac" dev flannel.1 dst "$nobody"',
  },
  {
    ...onWorker,
    code: 'PEER_ROUTE_MISSING',
    title: 'the route to the podCIDR of a peer is removed',
    make: 'save_tunnel && peer "$PEER_IP" && ip route del "$cidr" dev flannel.1',
  },
  {
    ...onWorker,
    code: 'PEER_ROUTE_WRONG',
    title: 'the podCIDR of a peer is routed past the tunnel',
    make: `save_tunnel && peer "$PEER_IP" && uplink && ip route replace "$cidr" dev "$device"`,
  },
  {
    ...onWorker,
    code: 'ROUTE_SHADOWED',
    title: 'blackholes for the halves of a podCIDR',
    make: `save_tunnel && peer "$PEER_IP" && for half in 0 128; do ip route add blackhole "\${vtep%.*}.$half/25"; done`,
    undo: 'ip -4 route show type blackhole | while read -r _ to _; do ip route del blackhole "$to"; done',
  },
  {
    ...onWorker,
    code: 'ROUTE_SHADOWED',
    title: 'a policy rule sends a podCIDR to a table without a way',
    make: 'save_tunnel && peer "$PEER_IP" && ip route add unreachable default table 51 && ip rule add to "$cidr" lookup 51 priority 51',
    undo: 'ip rule del priority 51; ip route flush table 51',
  },
  {
    ...onWorker,
    code: 'FLANNEL_LINK_DOWN',
    title: 'flannel.1 is set down',
    make: 'save_tunnel && ip link set flannel.1 down',
  },
  {
    ...onWorker,
    code: 'FLANNEL_LINK_MISSING',
    title: 'flannel.1 is deleted',
    make: 'save_tunnel && freeze flanneld && ip link del flannel.1',
    undo: 'new_tunnel 1 8472; thaw flanneld',
  },
  {
    ...onWorker,
    code: 'FLANNEL_ADDRESS_WRONG',
    title: 'flannel.1 has another address of the podCIDR',
    level: 'static',
    make: 'save_tunnel && ip addr add "$net"77/32 dev flannel.1 && ip addr del "$net"0/32 dev flannel.1',
    undo: 'ip addr add "$(cat "$S/net")0/32" dev flannel.1; ip addr del "$(cat "$S/net")77/32" dev flannel.1; restore_tunnel',
  },
  {
    ...onWorker,
    code: 'VNI_MISMATCH',
    title: 'flannel.1 is made anew with VNI 2',
    make: 'save_tunnel && freeze flanneld && new_tunnel 2 8472',
    undo: 'new_tunnel 1 8472; thaw flanneld',
  },
  {
    ...onWorker,
    code: 'VXLAN_PORT_MISMATCH',
    title: 'flannel.1 is made anew with port 4789',
    make: 'save_tunnel && freeze flanneld && new_tunnel 1 4789',
    undo: 'new_tunnel 1 8472; thaw flanneld',
  },
  {
    code: 'MTU_UNDERLAY',
    title: 'the interface below the tunnel carries 1400 bytes',
    on: 'worker',
    level: 'full',
    make: 'uplink && ip link set "$device" mtu 1400',
    undo: 'uplink && ip link set "$device" mtu 1500',
  },
  {
    code: 'MTU_MISMATCH',
    title: 'flannel.1 carries less than the pods send',
    on: 'worker',
    level: 'static',
    make: 'save_tunnel && ip link set flannel.1 mtu 1300',
    undo: 'restore_tunnel',
  },
  {
    code: 'MTU_MISMATCH',
    title: 'a pod may send more than the tunnel carries',
    on: 'worker',
    level: 'static',
    make: 'pod "$NS" waits && nsenter -t "$pid" -n ip link set eth0 mtu 1500',
    undo: 'read -r pid _ <"$S/pods" && nsenter -t "$pid" -n ip link set eth0 mtu 1450',
  },
]
