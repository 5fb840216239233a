#!/usr/bin/env bash
# The checks of a second `k8snet up`, as one writes them by hand: a script over one plain `ssh` per host, all at the same time.
# $1: an ssh config. $2: a directory with `leader.sums` and `worker.sums`, sha256sum's lines of the files that are the same on all
# hosts of a role. $3: the bundle's binaries and CNI plugins as lines `SIZE PATH`. $4: its images, one a line. Then the hosts, the
# leader first. Prints what is not as it should be, and then fails.
set -uo pipefail
config=$1 sums=$2 binaries=$3 images=$4
shift 4
hosts=("$@")
leader=${hosts[0]}

check() {
  local host=$1 role=$2
  {
    printf 'name=%s role=%s leader=%s hosts=%s\n' "$host" "$role" "$leader" "${#hosts[@]}"
    printf "sums='%s'\nbinaries='%s'\nimages='%s'\n" "$(<"$sums/$role.sums")" "$(<"$binaries")" "$(<"$images")"
    cat <<'HOST'
bad() { echo "$name: $*"; rc=1; }
rc=0
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# name and addresses
read -r is </proc/sys/kernel/hostname; [ "$is" = "$name" ] || bad "hostname is $is"
read -r is </etc/hostname; [ "$is" = "$name" ] || bad "/etc/hostname is $is"
[ "$(grep -cE '^[0-9.]+ (cp1|m-[0-9]+)$' /etc/hosts)" -ge "$hosts" ] || bad "/etc/hosts lacks hosts"
# files: content, mode and owner
printf '%s\n' "$sums" | sha256sum --quiet -c - || bad "files differ"
[ -z "$(printf '%s\n' "$sums" | cut -c67- | xargs stat -c '%a %U:%G' -- | grep -vx '644 root:root')" ] || bad "modes differ"
# kernel
is=$(cd /proc/sys/net && cat ipv4/ip_forward bridge/bridge-nf-call-iptables bridge/bridge-nf-call-ip6tables ipv4/conf/all/route_localnet)
[ "$is" = "1
1
1
1" ] || bad "kernel settings are $is"
[ -d /sys/module/vxlan ] && [ -e /proc/sys/net/netfilter/nf_conntrack_max ] && grep -qw overlay /proc/filesystems || bad "modules"
cat /proc/swaps >/dev/null
[ ! -e /sys/fs/selinux/enforce ] || cat /sys/fs/selinux/enforce
nproc >/dev/null
# services
is=$(systemctl show -p Id,UnitFileState,ActiveState containerd kubelet nftables firewalld systemd-resolved chrony systemd-timesyncd ntp '*.swap')
for unit in containerd kubelet; do
  case $is in *"Id=$unit.service
ActiveState=active
UnitFileState=enabled"*) ;; *) bad "$unit is not running or not enabled" ;; esac
done
# firewalls
! grep -qsi '^ENABLED=yes' /etc/ufw/ufw.conf || bad ufw
[ ! -e /etc/firewalld/firewalld.conf ] || ! systemctl -q is-active firewalld || bad firewalld
! iptables -S INPUT | grep -q -- '-P INPUT DROP' || bad iptables
! iptables -S FORWARD | grep -q -- '-P FORWARD DROP' || bad iptables
! nft list chains 2>/dev/null | grep -q 'policy drop' || bad nftables
# programs: size, not hash
printf '%s\n' "$binaries" | while read -r size path; do echo "$size $path"; done >/run/noop.$$
cut -d' ' -f2 /run/noop.$$ | xargs stat -L -c '%s %n' -- | cmp -s - /run/noop.$$ || bad "programs differ"
rm -f /run/noop.$$
# images
is=$(ctr -n k8s.io images ls -q)
for image in $images; do case $is in *"$image"*) ;; *) bad "no image $image" ;; esac; done
# membership
grep -q '^ *server: https://.*:6443$' /etc/kubernetes/kubelet.conf || bad "no member"
grep -qx done /var/lib/k8snet/kubeadm || bad "kubeadm did not end"
if [ "$role" = leader ]; then
  export KUBECONFIG=/etc/kubernetes/admin.conf
  cmp -s "$HOME/.kube/config" "$KUBECONFIG" || bad "no kubeconfig"
  is=$(kubectl get nodes,daemonsets,deployments -A -o 'jsonpath={range .items[*]}{.kind} {.metadata.name} {.spec.podCIDR} {.status.conditions[?(@.type=="Ready")].status} {.status.availableReplicas}{"\n"}{end}')
  [ "$(printf '%s\n' "$is" | grep -cE '^Node (cp1|m-[0-9]+) [0-9./]+ True')" -ge "$hosts" ] || bad "nodes are not Ready"
  printf '%s\n' "$is" | grep -qE '^Deployment coredns .*[1-9]' || bad "no DNS"
  is=$(kubectl get pods -A -l pod-template-generation -o 'jsonpath={range .items[*]}{.spec.nodeName} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}')
  [ "$(printf '%s\n' "$is" | grep -cE '^(cp1|m-[0-9]+) True$')" -ge $((hosts * 2)) ] || bad "pods are not ready"
fi
exit $rc
HOST
  } | ssh -F "$config" "$host" sudo sh -s
}

pids=()
check "$leader" leader & pids+=($!)
for host in "${hosts[@]:1}"; do check "$host" worker & pids+=($!); done
rc=0
for pid in "${pids[@]}"; do wait "$pid" || rc=1; done
exit $rc
