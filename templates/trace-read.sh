# What counts packets on this node, for `k8snet trace --live`: the same form as templates/dump.sh. Changes nothing. POSIX sh.
# $MARK stands nowhere else; $PORTS are the ports by which the packet's connection is known, as a regular expression.
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
part() {
  printf '\n%s part %s\n' "$MARK" "$1"
  shift
  "$@"
}
{
  part links ip -j -d -s -s addr show
  part counters cat /proc/net/snmp /proc/net/netstat
  if command -v iptables-nft-save >/dev/null; then
    part iptables-save iptables-nft-save -c
  else
    part iptables-save iptables-save -c
  fi
  if [ -s /proc/net/ip_tables_names ]; then part iptables-legacy-save iptables-legacy-save -c; fi
  if command -v nft >/dev/null; then part nft nft -j list ruleset; fi
  printf '\n%s part flows\n' "$MARK"
  if [ -e /proc/net/nf_conntrack ]; then
    grep -E " (sport|dport|id)=($PORTS) " /proc/net/nf_conntrack | head -n 2000
  else
    conntrack -L 2>/dev/null | grep -E " (sport|dport|id)=($PORTS) " | head -n 2000
  fi
  printf '\n%s part END\n' "$MARK"
} 2>/dev/null | gzip -c | base64
