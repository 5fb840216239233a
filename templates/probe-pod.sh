#!/bin/sh
# What a probe pod of `k8snet verify --kubeconfig` runs, with what its image has: the tools of agnhost, python3 or perl.
#
#   server PORT              answers at PORT by TCP and UDP
#   client SECONDS SECONDS [PORT]
#                            makes the probes that the lists have for its node, and those that failed once more, with more time;
#                            not before the server of its own pod answers at PORT, which on a busy node may come late
#
# K8SNET_NODE and K8SNET_POD say where it runs and what its name is. It prints `net NETNS`, the results of probe.py, and `done`;
# or `error ...`. It never ends by itself, so that nobody starts it again.
set -u
programs=/k8snet/programs
lists=/k8snet/lists
mode=$1

rest() {
  while :; do sleep 3600; done
}

fail() {
  echo "error $1"
  rest
}

echo "net $(readlink /proc/self/ns/net)"
kind=
if [ -x /agnhost ]; then
  if [ "$mode" = server ] || { command -v bash && command -v curl && command -v dig; } >/dev/null; then kind=agnhost; fi
elif python3 -I -S -c 'import _socket, select, sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then
  kind=python
elif perl -e 'use Socket; use POSIX' 2>/dev/null; then
  kind=perl
fi
[ -n "$kind" ] || fail 'the image has neither agnhost with bash, curl and dig, nor python3, nor perl'

probe() {
  case $kind in
    agnhost) bash "$programs/probe-agnhost.bash" "$2" ;;
    python) python3 -I -S "$programs/probe.py" "$@" ;;
    perl) perl "$programs/probe.pl" "$@" ;;
  esac
}

if [ "$mode" = server ]; then
  [ "$kind" != agnhost ] || exec /agnhost netexec "--http-port=$2" "--udp-port=$2"
  probe server "$K8SNET_POD" "$2" 86400
  fail "the server on port $2 ended"
fi

own=$(cat "$lists"/* | while read -r node line; do
  case $node in '*' | "$K8SNET_NODE") echo "$line" ;; esac
done)
first=$(printf '%s\n' "$own" | probe client "$2")
printf '%s\n' "$first"
failed=" $(printf '%s\n' "$first" | sed -n 's/^r \([0-9]*\) fail .*/\1/p' | tr '\n' ' ')"
if [ "$failed" != " " ]; then
  sleep 1
  left=8
  until [ -z "${4-}" ] || [ $left -eq 0 ] || printf '0 tcp 127.0.0.1 %s\n' "$4" | probe client 1 | grep -q '^r 0 ok '; do
    left=$((left - 1))
    sleep 1
  done
  printf '%s\n' "$own" | while read -r id line; do
    case $failed in *" ${id%%/*} "*) echo "$id $line" ;; esac
  done | probe client "$3"
fi
echo 'done'
rest
