# Holds the lock of a cluster, on its leader, as long as signs of life come on stdin. Its words: the path of the lock, the run's id, who,
# doing what, after how many seconds without a sign a holder is taken to be gone, and the host's boot id when this run had the lock
# already, else nothing. It prints `held BOOT`; or `busy` or `lost`, and what is known of the one who has it; before that `over`, when it
# takes the lock from one who is gone. All ages are by the host's uptime: clocks, also one that is set, do not matter.
lock=$1 id=$2 who=$3 doing=$4 stale=$5 boot=$6
umask 077
read -r booted </proc/sys/kernel/random/boot_id

# now: sets now to the uptime in seconds.
now() {
  read -r now _ </proc/uptime
  now=${now%.*}
}

# process PID: sets pid, parent and start (since boot, in ticks) of a process.
process() {
  pid='' parent='' start=''
  read -r line 2>/dev/null <"/proc/$1/stat" || return 1
  pid=${line%% *}
  # shellcheck disable=SC2086 # words
  set -- ${line##*) }
  parent=$2
  shift 19
  start=$1
}

# holder: reads what the lock says of who has it; some of it is empty while it is being written.
holder() {
  his_id='' his_pid='' his_start='' since='' his_who='' his_doing='' sign=''
  {
    read -r his_id
    read -r his_pid his_start since
    read -r his_who
    read -r his_doing
  } <"$lock" || :
  read -r sign 2>/dev/null <"$lock.beat" || :
}

# client PID: the address of the SSH client that a process descends from.
client() {
  while process "$1" && [ "$pid" -gt 1 ]; do
    from=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | sed -n 's/^SSH_CLIENT=\([^ ]*\) .*/\1/p')
    [ -z "$from" ] || {
      printf '%s\n' "$from"
      return
    }
    set -- "$parent"
  done
  echo
}

# tell WORD: that word, and who has the lock: who, from where, doing what, since when, for how many seconds, seconds since his last sign.
tell() {
  now
  age=$((now - ${since:-$now}))
  printf '%s\n' "$1" "$his_who" "$(client "${his_pid:-0}")" "$his_doing" \
    "$(date -d "@$(($(date +%s) - age))" '+%Y-%m-%d %H:%M:%S %Z')" "$age" "$((now - ${sign:-$now}))"
}

tries=0
said=
while :; do
  exec 9<>"$lock"
  if flock -n 9; then
    # shellcheck disable=SC2046 # words
    set -- $(stat -Lc %d:%i /proc/self/fd/9 "$lock" 2>/dev/null)
    [ "$#" -lt 2 ] || [ "$1" != "$2" ] || break
    exec 9>&-
    continue
  fi
  exec 9>&-
  holder
  now
  if [ -n "$boot" ] && [ -n "$his_id" ] && [ "$his_id" != "$id" ]; then
    tell lost
    exit 0
  fi
  # gone, yet its connection is not: the very process that took the lock is ended, and no other
  if [ -n "$sign" ] && { [ "$his_id" = "$id" ] || [ $((now - sign)) -gt "$stale" ]; } &&
    process "$his_pid" && [ "$start" = "$his_start" ] && [ "$(readlink "/proc/$pid/fd/9")" = "$lock" ]; then
    [ "$his_id" = "$id" ] || [ -n "$said" ] || tell over
    said=1
    kill -KILL "$his_pid" 2>/dev/null || :
  fi
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || {
    tell busy
    exit 0
  }
  sleep 0.1
done

holder
# One who comes back finds its own name, or else somebody else was here in between.
if [ "$boot" = "$booted" ] && [ "$his_id" != "$id" ]; then
  [ -n "$his_id" ] || rm -f "$lock" "$lock.beat"
  tell lost
  exit 0
fi
process self
now
printf '%s\n' "$id" "$pid $start $now" "$who" "$doing" >"$lock"
printf '%s\n' "$now" >"$lock.beat"
printf 'held %s\n' "$booted"
while IFS= read -r word; do
  [ "$word" != bye ] || {
    rm -f "$lock" "$lock.beat"
    exit 0
  }
  now
  printf '%s\n' "$now" >"$lock.beat"
done
# The link broke: what it says stays there unlocked, for the run that comes back.
