#!/bin/sh
# The state of a host, as text that can be compared: run as root on the host. What changes by itself all the time is left out.
set -u
section() { printf '\n## %s\n' "$1"; }

section 'files'
find /etc /usr/local /opt /root /home /srv -xdev \( -type f -o -type l -o -type d \) 2>/dev/null | LC_ALL=C sort | while IFS= read -r path; do
  case $path in
    /etc/mtab | /etc/.updated | /home/*/.ssh | /home/*/.ssh/* | */.bash_history) continue ;;
  esac
  if [ -f "$path" ] && [ ! -L "$path" ]; then sum=$(sha256sum <"$path"); else sum=$(readlink "$path"); fi
  printf '%s %s %s\n' "$(stat -c '%F %a %U:%G' "$path")" "$path" "${sum%% *}"
done

section 'state directories'
for path in /var/lib/* /run/* /var/run/* /var/log/*; do
  case $path in
    /run/systemd* | /run/user* | /var/log/journal* | /var/log/*log* | /var/log/*tmp* | /run/utmp | /run/sudo* | /run/log* | /var/run/*) continue ;;
  esac
  printf '%s\n' "$path"
done
find /var/lib/containerd /var/lib/kubelet /var/lib/etcd /var/lib/cni -mindepth 1 2>/dev/null | LC_ALL=C sort | head -50

section 'sysctls'
sysctl -a 2>/dev/null | LC_ALL=C sort | grep -v -E '^(kernel\.random|kernel\.ns_last_pid|fs\.(dentry|file-nr|inode|epoll)|kernel\.(pty\.nr|tainted|sched|seccomp|perf_event|ostype|cap)|net\.netfilter\.nf_conntrack_count|fs\.quota|vm\.stat|dev\.cdrom|kernel\.hung)' |
  grep -v -E '^net\.(ipv4|ipv6|mpls)\.(conf|neigh)\.(veth|cni0|flannel)'

section 'units'
systemctl list-unit-files --no-legend --no-pager --plain | awk '{ print $1, $2 }' | LC_ALL=C sort
section 'running units'
systemctl list-units --all --no-legend --no-pager --plain --type=service,socket,swap,timer,path | awk '{ print $1, $2, $3, $4 }' | LC_ALL=C sort | grep -v -E '^(user|session|run-|ssh@|systemd-(hostnamed|timedated|tmpfiles|logind)|dev-|modprobe@|apt|dpkg|e2scrub|fstrim|logrotate|man-db)'

section 'links'
ip -o link show | sed -E 's/^[0-9]+: //; s/(qlen|state) [A-Z0-9]+//g; s/@if[0-9]+//; s/link-netnsid [0-9]+//' | LC_ALL=C sort
section 'addresses'
ip -o addr show | sed -E 's/^[0-9]+: //; s/valid_lft.*//' | LC_ALL=C sort
section 'routes'
ip route show table all | LC_ALL=C sort
ip rule show

for tool in iptables ip6tables iptables-legacy; do
  section "$tool"
  command -v "$tool-save" >/dev/null && "$tool-save" 2>/dev/null | sed -E '/^#/d; s/\[[0-9]+:[0-9]+\]//'
done
section 'nft'
# firewalld keeps the chains of its trusted zone until its next reload, also when nothing leads to them any more
rules=$(command -v nft >/dev/null && nft list ruleset 2>/dev/null | sed -E 's/counter packets [0-9]+ bytes [0-9]+//; /^#/d')
case $rules in *goto\ filter_IN_trusted*) unused=none ;; *) unused='^\tchain (filter|nat|mangle)_(IN|FWD|PRE|POST)_trusted' ;; esac
printf '%s\n' "$rules" | awk -v unused="$unused" '$0 ~ unused { skip = 1 } !skip; /^\t}$/ { skip = 0 }'

section 'ufw'
! grep -qs '^ENABLED=yes' /etc/ufw/ufw.conf || ufw status verbose
section 'firewalld'
if systemctl -q is-active firewalld; then
  firewall-cmd --list-all-zones
  firewall-cmd --permanent --list-all-zones | sed 's/^/permanent /'
fi

section 'mounts'
awk '{ print $5, $9, $10 }' /proc/self/mountinfo | grep -v -E '^/(run/user|proc|sys/fs/cgroup)' | LC_ALL=C sort
section 'namespaces'
ls /run/netns /var/run/netns 2>/dev/null

section 'modules'
awk '{ print $1 }' /proc/modules 2>/dev/null | LC_ALL=C sort
section 'swap'
cat /proc/swaps
section 'packages'
dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\n' 2>/dev/null
section 'names'
hostname
cat /etc/hosts /etc/resolv.conf
section 'users'
cat /etc/passwd /etc/group
