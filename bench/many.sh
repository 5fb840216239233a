# Runs on a converged lab host as root: many light hosts beside it, $2 of them, with the addresses $1.101 and up, port 2200.
# Each is a real sshd with a hostname, an /etc and an address of its own; systemd, containerd, the kernel and all other files
# are those of the host that it lives on. $3: stop takes them away.
set -eu
net=$1 count=$2
dir=/run/many
cat $dir/*/pid 2>/dev/null | while read -r pid; do kill "$pid" 2>/dev/null || :; done
rm -rf $dir
link=$(ip -o -4 addr show | awk -v net="$net." 'index($4, net) == 1 { print $2; exit }')
i=1
while [ $i -le "$count" ]; do
  ip=$net.$((100 + i)) name=m-$i
  ip addr del "$ip/24" dev "$link" 2>/dev/null || :
  if [ "${3-}" != stop ]; then
    ip addr add "$ip/24" dev "$link"
    mkdir -p $dir/$name
    cp -a /etc $dir/$name/etc
    echo $name >$dir/$name/etc/hostname
    setsid unshare --uts --mount sh -c "
      hostname $name
      mount --bind $dir/$name/etc /etc
      echo \$\$ >$dir/$name/pid
      exec /usr/sbin/sshd -D -e -o Port=2200 -o ListenAddress=$ip -o PidFile=none -o MaxStartups=100
    " >$dir/$name/log 2>&1 </dev/null &
  fi
  i=$((i + 1))
done
i=1
while [ "${3-}" != stop ] && [ $i -le "$count" ]; do
  until ss -Hltn "src $net.$((100 + i)):2200" | grep -q .; do sleep 0.05; done
  i=$((i + 1))
done
