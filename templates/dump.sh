# What this node's network is like, in one exec, as one stream: base64 of gzip of sections that begin with a line "MARK part NAME",
# or "MARK problem NAME WHY". Changes nothing, reads no key and no Secret. POSIX sh; few forks, so that it takes less than a second.
# MARK is a word that stands nowhere else.
MARK=@MARK@
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

begin() { printf '\n%s part %s\n' "$MARK" "$1"; }
problem() { printf '\n%s problem %s %s\n' "$MARK" "$1" "$2"; }

# part NAME COMMAND...: what the command prints; a command that is missing or fails is a problem
part() {
  name=$1
  shift
  if ! command -v "$1" >/dev/null 2>&1; then
    problem "$name" "there is no $1 on the host"
    return
  fi
  begin "$name"
  trouble=$(timeout 20 "$@" 2>&1 >&3 3>&-) && return
  status=$?
  set -f
  # shellcheck disable=SC2086 # the words on one line
  set -- "$1" $trouble
  set +f
  trouble=$*
  problem "$name" "$trouble (status $status)"
}

# text FILE: the file, without a fork
text() {
  while IFS= read -r line || [ -n "$line" ]; do printf '%s\n' "$line"; done <"$1"
}

# file NAME PATH: a file as it is; nothing where there is none
file() {
  if [ -f "$2" ]; then
    begin "$1"
    text "$2"
  else
    problem "$1" "there is no $2"
  fi
}

# value KEY PATH: "KEY first-line", without a fork; nothing where there is none
value() {
  if [ -r "$2" ] && read -r line <"$2" 2>/dev/null; then printf '%s %s\n' "$1" "$line"; fi
}

the_tables() {
  part links ip -j -d -s -s addr show
  part ports bridge -j -d link show
  part routes sh -c 'it=$(ip route show table all) && printf "%s\n" "$it" | sed "s/ *$//"'
  part rules ip rule show
  # by device, then by address: a table of a thousand peers can be compared as one text
  part neighbours sh -c 'it=$(ip neigh show) && printf "%s\n" "$it" | sed "s/ *$//" | sort -k3,3 -k1,1'
  part fdb sh -c 'it=$(bridge fdb show) && printf "%s\n" "$it" | sed "s/ *$//" | sort -k3,3 -k1,1'
  part listeners ss -Hlntup
  for path in /sys/class/net/flannel.*; do
    [ ! -e "$path" ] || part offload ethtool -k "${path##*/}"
  done
}

the_kernel() {
  begin sysctls
  cd /proc/sys || return
  # not by the shell's read, which takes one byte at a time: these files give nothing but the first
  grep -sH '' net/ipv4/ip_forward net/ipv4/conf/*/forwarding net/ipv4/conf/*/rp_filter net/ipv4/conf/*/route_localnet \
    net/ipv6/conf/all/forwarding net/bridge/* net/netfilter/nf_conntrack_max net/netfilter/nf_conntrack_count fs/inotify/*
  cd /
  part counters cat /proc/net/snmp /proc/net/netstat
  if [ -e /proc/net/stat/nf_conntrack ]; then
    part conntrack cat /proc/net/stat/nf_conntrack
  else
    problem conntrack 'the kernel keeps no table of connections'
  fi
  if [ -e /proc/net/nf_conntrack ]; then
    part flows sh -c 'grep -E " udp +17 " /proc/net/nf_conntrack | head -n 4000'
  else
    part flows sh -c 'conntrack -L -p udp 2>/dev/null | head -n 4000'
  fi
}

the_rules() {
  if command -v iptables-nft-save >/dev/null 2>&1; then
    part iptables-save iptables-nft-save -c
  else
    part iptables-save iptables-save -c
  fi
  # where no legacy table is in use, the legacy tool would make the tables that it looks for
  if grep -qs . /proc/net/ip_tables_names; then part iptables-legacy-save iptables-legacy-save -c; fi
  part nft nft -j list ruleset
}

the_pods() {
  own=$(stat -L -c %i /proc/self/ns/net)
  # one process of each network namespace
  stat -L -c '%i %n' /proc/[0-9]*/ns/net 2>/dev/null | awk -v own="$own" '$1 != own && !seen[$1]++' |
    while read -r inode path; do
      pid=${path#/proc/}
      pid=${pid%%/*}
      group=$(group_of "$pid")
      # shellcheck disable=SC2016 # for the shell inside
      [ -z "$group" ] || MARK=$MARK inode=$inode nsenter -t "$pid" -n sh -c '
        part() { printf "\n%s part pod/%s/%s\n" "$MARK" "$inode" "$1"; }
        part links
        ip -j -d -s addr show
        part routes
        ip route show table all
        part neighbours
        ip neigh show
        part about
        read -r forward </proc/sys/net/ipv4/ip_forward
        printf "pid %s\nip_forward %s\ncgroup %s\n" "$1" "$forward" "$2"' sh "$pid" "$group" 2>/dev/null </dev/null ||
        problem "pod/$inode" "process $pid went away"
    done
}

# group_of PID: its cgroup, where that is one of a pod
group_of() {
  while read -r line; do
    case $line in *kubepods*) printf '%s\n' "${line##*:}" && return ;; esac
  done <"/proc/$1/cgroup"
} 2>/dev/null

the_cni() {
  for path in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/cni/net.d/*.json; do
    [ ! -f "$path" ] || file "cni-conf/${path##*/}" "$path"
  done
  begin cni-plugins
  for path in /opt/cni/bin/*; do [ ! -f "$path" ] || printf '%s\n' "${path##*/}"; done
  begin cni-leases
  for path in /var/lib/cni/networks/*/*; do
    [ ! -f "$path" ] || printf '%s\n' "${path#/var/lib/cni/networks/}"
  done
  [ ! -e /run/flannel/subnet.env ] || file flannel-env /run/flannel/subnet.env
}

the_host() {
  begin identity
  value hostname /proc/sys/kernel/hostname
  value kernel /proc/sys/kernel/osrelease
  value boot-id /proc/sys/kernel/random/boot_id
  value machine-id /etc/machine-id
  value product-uuid /sys/class/dmi/id/product_uuid
  for path in /run/systemd/container /.dockerenv /run/.containerenv; do
    if [ -e "$path" ]; then
      echo container yes
      break
    fi
  done
  for path in /sys/class/net/*/device; do
    if [ -e "$path" ]; then
      path=${path%/device}
      printf 'device %s\n' "${path##*/}"
    fi
  done
  part now date -u +%Y-%m-%dT%H:%M:%SZ
  file resolv.conf /etc/resolv.conf
}

# only what matters of its flags and of its configuration, and the resolv.conf that it names for pods
the_kubelet() {
  begin kubelet
  for path in /proc/[0-9]*/comm; do
    read -r line <"$path" || continue
    [ "$line" = kubelet ] || continue
    pid=${path#/proc/}
    pid=${pid%/comm}
    printf 'pid %s\n' "$pid"
    tr '\0' '\n' <"/proc/$pid/cmdline" | grep -E '^--(node-ip|cluster-dns|cluster-domain|resolv-conf|hostname-override|config)='
  done 2>/dev/null
  [ ! -r /var/lib/kubelet/kubeadm-flags.env ] ||
    text /var/lib/kubelet/kubeadm-flags.env | tr -s ' "' '\n' | grep -E '^--(node-ip|resolv-conf|hostname-override)='
  if [ -r /var/lib/kubelet/config.yaml ]; then
    begin kubelet-config
    config=$(awk '/^[^ #-]/ { on = /^(clusterDNS|clusterDomain|resolvConf):/ } on' /var/lib/kubelet/config.yaml)
    printf '%s\n' "$config"
    path=${config##*resolvConf:}
    [ "$path" != "$config" ] || path=
    path=${path%%
*}
    path=${path#"${path%%[! \"]*}"}
    path=${path%%[ \"]*}
    [ ! -f "$path" ] || file "resolv.conf$path" "$path"
  fi
}

# what systemd-networkd, where it runs, does to routes of others, and which links it looks after
the_networkd() {
  [ -d /run/systemd/netif/links ] || return 0
  begin networkd
  grep -his '^ManageForeignRoutes=' /etc/systemd/networkd.conf /etc/systemd/networkd.conf.d/*.conf \
    /run/systemd/networkd.conf.d/*.conf /usr/lib/systemd/networkd.conf.d/*.conf
  grep -EHs '^(ADMIN_STATE|NETWORK_FILE)=.' /run/systemd/netif/links/*
}

the_certificates() {
  begin certificates
  # kubelet-client-current.pem holds a key as well: only the date leaves the host
  for path in /etc/kubernetes/pki/*.crt /etc/kubernetes/pki/etcd/*.crt /var/lib/kubelet/pki/kubelet-client-current.pem \
    /var/lib/kubelet/pki/kubelet-server-current.pem /var/lib/kubelet/pki/kubelet.crt; do
    [ -f "$path" ] || continue
    end=$(openssl x509 -enddate -noout -in "$path" 2>/dev/null) && printf '%s %s\n' "$path" "$end"
  done
  command -v openssl >/dev/null 2>&1 || problem certificates 'there is no openssl on the host'
}

{
  exec 3>&1
  the_tables
  the_kernel
  the_rules
  the_pods
  the_cni
  the_host
  the_kubelet
  the_networkd
  the_certificates
  printf '\n%s part END\n' "$MARK"
} 2>/dev/null | gzip -c | base64
