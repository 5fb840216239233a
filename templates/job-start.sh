# Puts a job in its place on the host and starts it, once however often this runs; then follows its log. POSIX sh, as root.
# Set before: id; size: bytes of the job's script, which come over stdin; seconds it may take; skip: bytes of its log that were
# read already; arrived: not empty once the job is known to be here; boot: which boot of the host that was; runner: job-run.sh.
# Prints a line when the job is in place, then its log. After that stdin may say `stop`, to end the job after the action under way,
# and `done` or `keep` once the log was read to its end: keep leaves a mark that this job has run, for who might still start it.
# Exit: 91 the host was restarted since, 92 the job is no longer here, 93 the script did not come whole, 94 the job died or could
# not write its log (the word on stderr), 95 look again, 97 it could not be put in place (the reason on stderr).
: "${id:?}" "${size:?}" "${seconds:?}" "${skip:?}" "${runner:?}"
top=/run/k8snet
jobs=$top/jobs
d=$jobs/$id
umask 077

place() {
  new=$jobs/.$id.$$
  # The end of another job may remove an empty directory just now.
  mkdir -p "$new" 2>/dev/null || mkdir -p "$new" || return 97
  head -c "$size" >"$new/script" || return 97
  [ "$(wc -c <"$new/script")" -eq "$size" ] || return 93
  export -p >"$new/env" && printf '%s\n' "$runner" >"$new/run" && : >"$new/log" && : >"$new/lock" || return 97
  # Whoever comes second leaves the first one in place.
  mv -T "$new" "$d" 2>/dev/null || rm -rf "$new"
}

launch() {
  set -- /bin/sh "$d/run" "$d" "$seconds"
  if [ -d /run/systemd/system ] &&
    systemd-run --collect --quiet --no-ask-password --unit "k8snet-$id" --property KillMode=process "$@"; then
    return
  fi
  setsid "$@" &
}

# status_of_job: what it ended with; `died` when it has not said.
status_of_job() { readlink "$d/rc" || echo died; }

# listen: takes words from stdin; status 0 after done, 1 after keep, 2 when the other side has gone.
listen() {
  while read -r word; do
    case $word in
      stop)
        : >"$d/stop"
        [ ! -e "$d/begun" ] || : >"$top/stop"
        ;;
      done) return 0 ;;
      keep) return 1 ;;
    esac
  done
  return 2
}

# clear_up HOW: what is left of a job whose end was read. A host that holds nothing of ours keeps no directory of ours either.
clear_up() {
  case $1 in
    # Out of the way first, so that nothing can be put there while it is emptied.
    0) mv -T "$d" "$jobs/.$id.$$" 2>/dev/null && rm -rf "$jobs/.$id.$$" ;;
    1) find "$d" -mindepth 1 ! -name begun -delete ;;
    *) return 0 ;;
  esac
  [ ! -e /var/lib/k8snet ] || return 0
  for other in "$jobs"/*; do
    [ -e "$other/lock" ] || [ "$other" = "$d" ] || rmdir "$other/begun" "$other"
  done 2>/dev/null
  if rmdir "$jobs" 2>/dev/null; then
    # shellcheck disable=SC2094 # a lock
    (flock -w 3 9 && rm -f "$top/job.lock" && rmdir "$top") 9>>"$top/job.lock" 2>/dev/null
  fi
}

# The shell around this has read which boot this is.
if [ "${boot:-$k8snet_boot}" != "${k8snet_boot?}" ]; then
  echo "$k8snet_boot" >&2
  exit 91
fi
if [ -d "$d" ]; then
  head -c "$size" >/dev/null
elif [ -n "${arrived-}" ]; then
  exit 92
else
  place || {
    status=$?
    rm -rf "$new"
    exit $status
  }
fi
[ -e "$d/log" ] || exit 92
echo here

# A lock is opened for reading: one that is gone is not made again.
if [ -e "$d/begun" ] && flock -s -n 6 6<"$d/lock"; then
  tail -c "+$((skip + 1))" "$d/log"
  case $(status_of_job) in
    died | full)
      status_of_job >&2
      clear_up 1
      exit 94
      ;;
  esac
  listen
  clear_up $?
  exit 0
fi

[ -e "$d/begun" ] || launch </dev/null >/dev/null 2>&1
exec 3<&0
tail -c "+$((skip + 1))" -f "$d/log" </dev/null 3<&- &
tail=$!
(
  listen
  heard=$?
  kill -HUP $tail
  exit $heard
) <&3 >/dev/null 2>&1 &
listener=$!
# A job that ended without the mark at the end of its log is looked at again.
(
  sleep 1
  flock -s 6 6<"$d/lock"
  case $(status_of_job) in
    died | full)
      sleep 1
      kill -TERM $tail
      ;;
  esac
) </dev/null >/dev/null 2>&1 3<&- &
watcher=$!

wait $tail
ended=$?
kill $watcher 2>/dev/null
if [ $ended -ne 129 ]; then
  kill $listener 2>/dev/null
  exit 95
fi
wait $listener
clear_up $?
exit 0
