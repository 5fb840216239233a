# Runs a job apart from any connection: sh job-run.sh DIRECTORY SECONDS. POSIX sh, as root. Holds DIRECTORY/lock as long as it lives,
# and /run/k8snet/job.lock while the job runs. The log begins with `ID<` and ends with `ID> STATUS`, 900 for the time being up;
# then `rc` is a link to STATUS, or to `full` where the log could not be written: a link needs no room on the disk.
if [ "${3-}" = script ]; then
  k8snet_job=$1
  set --
  # shellcheck disable=SC1091 # written by job-start.sh
  . "$k8snet_job/env"
  k8snet_script=$(cat "$k8snet_job/script")
  rm -f "$k8snet_job/script" "$k8snet_job/env"
  umask 022
  cd /
  (eval "$k8snet_script") </dev/null
  ln -s "$?" "$k8snet_job/status"
  exit
fi

d=$1 seconds=$2
id=${d##*/}
top=/run/k8snet
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 077
cd /
exec </dev/null 7>>"$d/log" 8>>"$d/lock"
flock -w 10 8 || exit 0
while :; do
  exec 9>>"$top/job.lock"
  flock 9
  # Its last holder may have removed it.
  # shellcheck disable=SC3013 # dash, bash and busybox have -ef
  [ ! "$top/job.lock" -ef /proc/self/fd/9 ] || break
done
mkdir "$d/begun" 2>/dev/null || exit 0
# What was said to the last job is not for this one; what was said to this one while it waited is.
rm -f "$top/stop"
[ ! -e "$d/stop" ] || : >"$top/stop"
echo "$id" >"$top/job.lock"

# What killed runs have left: of those that began only the mark stays that they did, for a while.
for other in "$top"/jobs/*; do
  if [ "$other" = "$d" ]; then
    continue
  elif [ ! -e "$other/lock" ]; then
    find "$other" -maxdepth 0 -mmin +10 -exec rm -rf {} +
  elif flock -n 6 6<"$other/lock"; then
    if [ -e "$other/begun" ]; then
      find "$other" -mindepth 1 ! -name begun -delete
    else
      find "$other" -maxdepth 0 -mmin +10 -exec rm -rf {} +
    fi
  fi
done
for other in "$top"/jobs/.[!.]*.*; do
  kill -0 "${other##*.}" || rm -rf "$other"
done 2>/dev/null

printf '%s<\n' "$id" >&7
read -r from _ </proc/uptime
timeout -k 10 "$seconds" /bin/sh "$d/run" "$d" "$seconds" script >&7 2>&1 7>&- 8>&- 9>&-
status=$?
read -r to _ </proc/uptime
if [ -L "$d/status" ]; then
  status=$(readlink "$d/status")
elif [ $((${to%.*} - ${from%.*})) -ge "${seconds%.*}" ]; then
  status=900
fi
rm -f "$d/script" "$d/env" "$d/status"
printf '%s> %s\n' "$id" "$status" >&7 || status=full
ln -s "$status" "$d/rc"
