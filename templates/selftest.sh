# Goes before every script of the selftest: what faults share. The variables LEADER, WORKER, OTHER (names), LEADER_IP, WORKER_IP,
# OTHER_IP, NODE, NODE_IP and PEER_IP (of a worker that is not this node) are set before it. POSIX sh.
# shellcheck disable=SC2034,SC2154 # variables are set and used outside of this file
export KUBECONFIG=/etc/kubernetes/admin.conf PATH="$PATH:/usr/local/bin:/usr/sbin:/sbin"
# What a fault needs to be taken back lies here; it is gone with a restart, as most faults are.
S=/run/k8snet-selftest
# The selftest's own pods: one on each node that only waits, with a hostPort and behind the Service edge.
NS=selftest
mkdir -p "$S"

# peer IP: mac, vtep and cidr of the node with this address, as this node's tunnel knows them
peer() {
  mac=$(bridge fdb show dev flannel.1 | awk -v ip="$1" '$2 == "dst" && $3 == ip { print $1; exit }')
  vtep=$(ip neigh show dev flannel.1 | awk -v mac="$mac" '$3 == mac { print $1; exit }')
  cidr=$(ip -4 route show dev flannel.1 | awk -v via="$vtep" '$3 == via { print $1; exit }')
  [ -n "$cidr" ]
}

# nobody IP: nobody becomes an address of the same network that no host has
nobody() { nobody=${1%.*}.251; }

# subnet: net becomes the podCIDR of this node without its last number: 10.244.1.
subnet() {
  net=$(ip -4 -o addr show flannel.1 | awk '{ sub("[0-9]*/.*", "", $4); print $4; exit }')
  [ -n "$net" ]
}

# uplink: device becomes the interface of the node's address
uplink() {
  device=$(ip -4 -o addr show | awk -v ip="$NODE_IP" '{ split($4, it, "/") } it[1] == ip { print $2; exit }')
  [ -n "$device" ]
}

save_tunnel() {
  uplink && subnet || return 1
  printf '%s\n' "$device" >"$S/device"
  printf '%s\n' "$net" >"$S/net"
  cat /sys/class/net/flannel.1/address >"$S/mac"
  cat /sys/class/net/flannel.1/mtu >"$S/mtu"
  ip -4 route show dev flannel.1 >"$S/routes"
  ip neigh show dev flannel.1 nud permanent >"$S/neighbours"
  bridge fdb show dev flannel.1 >"$S/fdb"
}

restore_tunnel() {
  [ -f "$S/fdb" ] || return 0
  ip link set flannel.1 address "$(cat "$S/mac")" mtu "$(cat "$S/mtu")" up
  while read -r to _ via _; do ip route replace "$to" via "$via" dev flannel.1 onlink; done <"$S/routes"
  while read -r to _ mac _; do ip neigh replace "$to" lladdr "$mac" dev flannel.1 nud permanent; done <"$S/neighbours"
  while read -r mac _ to _; do bridge fdb replace "$mac" dev flannel.1 dst "$to"; done <"$S/fdb"
}

# new_tunnel VNI PORT: flannel.1 made anew; what was known of the peers is restored
new_tunnel() {
  ip link del flannel.1 2>/dev/null
  ip link add flannel.1 address "$(cat "$S/mac")" type vxlan id "$1" dstport "$2" local "$NODE_IP" dev "$(cat "$S/device")" nolearning &&
    ip addr add "$(cat "$S/net")0/32" dev flannel.1 && restore_tunnel
}

# freeze PROGRAM, thaw PROGRAM: it does not mend what is broken while somebody looks
freeze() { kill -STOP "$(pidof -s "$1")"; }
thaw() { kill -CONT "$(pidof -s "$1")"; }

# pod NAMESPACE NAME: pid and veth of the pod on this node whose name is like that; all such pods are kept in $S/pods
pod() {
  for id in $(crictl pods --namespace "$1" --name "$2" --state ready -q); do
    pid=$(crictl inspectp --output go-template --template '{{.info.pid}}' "$id") || return 1
    index=$(nsenter -t "$pid" -n ip -o link show eth0 | sed 's/.*eth0@if\([0-9]*\):.*/\1/')
    veth=$(ip -o link | sed -n "s/^$index: \([^@:]*\).*/\1/p")
    printf '%s %s\n' "$pid" "$veth"
  done >"$S/pods"
  read -r pid veth <"$S/pods"
}

# take TABLE CHAIN PATTERN: the first rule of the chain that matches is removed and kept; give puts it back where it was
take() {
  iptables -t "$1" -S "$2" | sed '/^-A/!d' >"$S/rules"
  line=$(grep -nE -e "$3" "$S/rules" | head -n 1)
  [ -n "$line" ] || return 1
  printf '%s\n' "$1" "$2" "$line" >"$S/rule"
  eval "iptables -t $1 $(printf '%s' "${line#*:}" | sed 's/^-A/-D/')"
}
give() {
  [ -f "$S/rule" ] || return 0
  { read -r table && read -r chain && read -r line; } <"$S/rule"
  eval "iptables -t $table $(printf '%s' "${line#*:}" | sed "s/^-A [^ ]*/-I $chain ${line%%:*}/")"
  rm "$S/rule"
}

# service CHAIN-COMMENT: chain becomes the one of kube-proxy for a port of a Service, by its comment
service() {
  chain=$(iptables -t nat -S KUBE-SERVICES | sed -n "s|.*\"$1 cluster IP\".* -j \(KUBE-SVC-[A-Z0-9]*\)|\1|p" | head -n 1)
  [ -n "$chain" ]
}

# door: ext and svl become the chains of kube-proxy for the NodePort of the Service edge, svc the one of its ClusterIP
door() {
  ext=$(iptables -t nat -S KUBE-NODEPORTS | sed -n "s|.*\"$NS/edge\".* -j \(KUBE-EXT-[A-Z0-9]*\)|\1|p" | head -n 1)
  svl=KUBE-SVL-${ext#KUBE-EXT-}
  svc=KUBE-SVC-${ext#KUBE-EXT-}
  [ -n "$ext" ]
}

# a pause image that the host has, by its full reference
pause_image() {
  { crictl images -o yaml || ctr -n k8s.io images ls -q; } 2>/dev/null |
    sed -n 's/^[- "]*\([^ "]*\/pause:[^ "@]*\).*/\1/p' | head -n 1
}
