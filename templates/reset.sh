# Takes back what kubeadm, the kubelet, kube-proxy and the pod network did to this host, and nothing else. Can be run again.
# TABLES are the nftables tables (family:name) that were there before: of iptables' own ones, the others go when they are empty.
TABLES='@TABLES@'
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
socket=/run/containerd/containerd.sock

if [ -x /usr/local/bin/kubeadm ]; then
  if ! kubeadm reset -f --cleanup-tmp-dir --cri-socket "unix://$socket" >/run/k8snet-reset.log 2>&1; then
    tail -n 5 /run/k8snet-reset.log >&2
  fi
  rm -f /run/k8snet-reset.log
fi
systemctl stop kubelet.service 2>/dev/null || :
if [ -S "$socket" ] && [ -x /usr/local/bin/crictl ] && systemctl -q is-active containerd.service; then
  if [ -n "$(crictl -r "unix://$socket" pods -q 2>/dev/null)" ]; then
    crictl -r "unix://$socket" rmp -fa >/dev/null 2>&1 || :
  fi
fi
systemctl stop kubepods.slice kubepods-burstable.slice kubepods-besteffort.slice 2>/dev/null || :

# the pods' network namespaces and the links of the pod network
for ns in /run/netns/cni-*; do
  [ -e "$ns" ] || continue
  umount -l "$ns" 2>/dev/null || :
  rm -f "$ns"
done
if command -v ip >/dev/null; then
  ip -o link show master cni0 2>/dev/null | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | while read -r link; do
    ip link delete "$link" 2>/dev/null || :
  done
  for link in cni0 flannel.1 flannel-v6.1 flannel0; do
    [ ! -e "/sys/class/net/$link" ] || ip link delete "$link"
  done
fi

# ours RESTORE-COMMAND: turns a dump of iptables-save into the commands that remove our chains and the jumps to them
ours() {
  awk '
    function mine(chain) { return chain ~ /^(KUBE|FLANNEL|CNI)-/ }
    /^\*/ { table = $1; n = m = 0; next }
    /^:/ { if (mine(substr($1, 2))) chains[++n] = substr($1, 2); next }
    /^-A / {
      rule = $0
      gsub(/\\"/, "", rule)
      gsub(/"[^"]*"/, "", rule)
      if (!mine($2) && rule ~ / -[jg] (KUBE|FLANNEL|CNI)-/) {
        sub(/^-A/, "-D")
        jumps[++m] = $0
      }
      next
    }
    /^COMMIT/ && n + m > 0 {
      print table
      for (i = 1; i <= m; i++) print jumps[i]
      for (i = 1; i <= n; i++) print "-F " chains[i]
      for (i = 1; i <= n; i++) print "-X " chains[i]
      print "COMMIT"
    }'
}

for tool in iptables ip6tables iptables-legacy ip6tables-legacy; do
  command -v "$tool-save" >/dev/null || continue
  case $(readlink -f "$(command -v "$tool-save")") in
  *legacy*)
    case $tool in ip6*) names=/proc/net/ip6_tables_names ;; *) names=/proc/net/ip_tables_names ;; esac
    [ -s "$names" ] || continue
    ;;
  esac
  rules=$("$tool-save" 2>/dev/null | ours)
  [ -z "$rules" ] || printf '%s\n' "$rules" | "$tool-restore" --noflush
done

if command -v nft >/dev/null; then
  nft list tables 2>/dev/null | while read -r _ family table; do
    case $table in kube-proxy | flannel-ipv4 | flannel-ipv6) nft delete table "$family" "$table" ;; esac
  done
  # iptables on nftables leaves its tables behind; without rules they mean nothing
  for table in ip:filter ip:nat ip:mangle ip:raw ip6:filter ip6:nat ip6:mangle ip6:raw; do
    case " $TABLES " in *" $table "*) continue ;; esac
    text=$(nft list table "${table%:*}" "${table#*:}" 2>/dev/null) || continue
    if ! printf '%s\n' "$text" | grep -vqE '^(#.*|table .*|[[:space:]]*chain .*|[[:space:]]*type .* policy accept;|[[:space:]]*}|[[:space:]]*)$'; then
      nft delete table "${table%:*}" "${table#*:}"
    fi
  done
fi
rm -f /etc/cni/net.d/10-flannel.conflist /var/lib/k8snet/kubeadm
