# What a support archive holds of this host, as one stream: base64 of gzip of sections that begin with a line "MARK file NAME".
# Changes nothing, and never reads a key or a Secret. POSIX sh.
# MARK is a word that stands nowhere else; at most MAX bytes are told in all.
MARK=@MARK@
MAX=@MAX@
k=1024
m=1048576
export KUBECACHEDIR=/dev/null/none SYSTEMD_COLORS=0

# tell NAME LIMIT COMMAND...: what the command prints, at most its last LIMIT bytes, and how it ended
tell() {
  name=$1 limit=$2
  shift 2
  printf '\n%s file %s\n' "$MARK" "$name"
  if command -v "$1" >/dev/null 2>&1; then
    {
      printf '%s whole\n' "$MARK"
      timeout 30 "$@" 2>&1 </dev/null
      printf '\n%s status %s\n' "$MARK" "$?"
    } | tail -c "$limit"
  else
    printf '%s absent there is no %s on the host\n' "$MARK" "$1"
  fi
}

# absent NAME WHY: says that there is nothing
absent() { printf '\n%s file %s\n%s absent %s\n' "$MARK" "$1" "$MARK" "$2"; }

# copy LIMIT PATH...: files, each under its own path; a path with nothing there is said to be absent
copy() {
  limit=$1
  shift
  for path in "$@"; do
    if [ -f "$path" ]; then
      tell "files$path" "$limit" cat "$path"
    elif [ ! -d "$path" ]; then
      absent "files$path" "no such file"
    fi
  done
}

the_host() {
  tell system/uname $((64 * k)) uname -a
  copy $((64 * k)) /etc/os-release /etc/hosts /etc/resolv.conf /etc/hostname /proc/cmdline /proc/meminfo
  tell system/uptime $((64 * k)) uptime
  tell system/timedatectl $((64 * k)) timedatectl
  tell system/free $((64 * k)) free -m
  tell system/df $((64 * k)) df -h
  tell system/df-inodes $((64 * k)) df -i
  tell system/mounts $((256 * k)) cat /proc/mounts
  tell system/modules $((64 * k)) cat /proc/modules
  tell system/processes $((512 * k)) ps -eo pid,ppid,user,stat,etimes,rss,comm
  tell system/failed-units $((64 * k)) systemctl --no-pager --failed
  tell system/kubelet-unit $((64 * k)) systemctl --no-pager --lines 0 --full status kubelet
  tell system/containerd-unit $((64 * k)) systemctl --no-pager --lines 0 --full status containerd
  tell system/selinux $((64 * k)) getenforce
  tell system/sysctl $((512 * k)) sh -c 'sysctl -a 2>/dev/null | grep -E "^(net|kernel|vm|fs)\."'
  tell system/dmesg $m sh -c 'dmesg -T 2>/dev/null || dmesg'
}

the_network() {
  tell network/address $m ip -d address
  tell network/link $m ip -d -s link
  tell network/rule $((64 * k)) ip rule
  tell network/route $m ip route show table all
  tell network/route-6 $m ip -6 route show table all
  tell network/neighbours $m ip neighbour
  tell network/fdb $m bridge fdb
  tell network/sockets $m ss -lntup
  tell network/iptables-save $((2 * m)) iptables-save -c
  tell network/ip6tables-save $((2 * m)) ip6tables-save -c
  # the legacy tools would make the tables that they look for
  for tool in iptables ip6tables; do
    case $tool in ip6*) names=/proc/net/ip6_tables_names ;; *) names=/proc/net/ip_tables_names ;; esac
    if [ -s "$names" ]; then
      tell "network/$tool-legacy-save" $((2 * m)) "$tool-legacy-save" -c
    else
      absent "network/$tool-legacy-save" 'no legacy table is in use'
    fi
  done
  tell network/nft $((2 * m)) nft list ruleset
  tell network/ufw $((256 * k)) ufw status verbose
  tell network/firewalld $((256 * k)) firewall-cmd --list-all-zones
  tell network/cni $((64 * k)) ls -lR /etc/cni /opt/cni/bin
  copy $((256 * k)) /etc/cni/net.d/* /run/flannel/*
}

the_node() {
  copy $((256 * k)) /etc/containerd/config.toml /etc/containerd/conf.d/* /etc/crictl.yaml \
    /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env /etc/kubernetes/kubelet.conf \
    /etc/systemd/system/kubelet.service.d/* /usr/lib/systemd/system/kubelet.service.d/* /etc/kubernetes/manifests/*
  tell kubernetes/etc $((64 * k)) ls -lR /etc/kubernetes
  tell runtime/containers $((256 * k)) crictl ps -a
  tell runtime/pods $((256 * k)) crictl pods
  tell runtime/images $((256 * k)) crictl images --digests
  tell runtime/info $((256 * k)) crictl info
  copy $((4 * m)) /var/lib/k8snet/journal /var/lib/k8snet/artifacts
  tell k8snet/directories $((64 * k)) ls -lR /var/lib/k8snet /run/k8snet
}

# what only the control plane can answer; Secrets are never asked for
the_cluster() {
  if [ ! -e /etc/kubernetes/admin.conf ]; then
    absent cluster/nodes 'this host is no control plane'
    return
  fi
  set -- kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout 10s
  tell cluster/readyz $((64 * k)) "$@" get --raw '/readyz?verbose'
  if ! "$@" get --raw /readyz >/dev/null 2>&1; then
    absent cluster/nodes 'the API server does not answer, or is not ready'
    return
  fi
  tell cluster/version $((64 * k)) "$@" version
  tell cluster/nodes $m "$@" get nodes -o wide
  tell cluster/nodes.describe $((2 * m)) "$@" describe nodes
  tell cluster/pods $m "$@" get pods -A -o wide
  tell cluster/workloads $m "$@" get daemonsets,deployments,replicasets -A -o wide
  tell cluster/services $m "$@" get services -A -o wide
  tell cluster/endpointslices $m "$@" get endpointslices -A -o wide
  tell cluster/events $m "$@" get events -A --sort-by .lastTimestamp -o wide
  tell cluster/networkpolicies $m "$@" get networkpolicies -A
  for space in kube-system kube-flannel; do
    tell "cluster/$space.describe" $((2 * m)) "$@" -n "$space" describe pods
    tell "cluster/$space.configmaps" $((256 * k)) "$@" -n "$space" get configmaps -o yaml
  done
}

the_logs() {
  for unit in kubelet containerd; do
    tell "logs/$unit" $((3 * m)) journalctl -u "$unit" --since -24h -n 20000 --no-pager -o short-iso
  done
  tell logs/ssh $((256 * k)) journalctl -u ssh -u sshd --since -24h -n 1000 --no-pager -o short-iso
  for dir in /var/log/pods/kube-system_* /var/log/pods/kube-flannel_*; do
    [ -d "$dir" ] || continue
    for log in "$dir"/*/*.log; do
      [ ! -f "$log" ] || tell "logs/pods${log#/var/log/pods}" $((512 * k)) cat "$log"
    done
  done
}

{
  the_host
  the_network
  the_node
  the_cluster
  the_logs
  printf '\n%s file END\n%s absent -\n' "$MARK" "$MARK"
} 2>&1 | head -c "$MAX" | gzip -c | base64
