import type { Sh } from './shell.ts'

/**
 * Shell functions around apt, whose lists and downloads lie in a directory of its own that goes when the shell ends: looking changes
 * nothing on the host, and what is installed is what was looked at.
 *
 * `apt_new NAME…` prints what would come new, as `NAME=VERSION` in order; status 1 with what apt said where that is not possible,
 * or not without upgrading or removing something. `apt_broken` says what is the matter after an installation that was broken off.
 */
export const apt: Sh = `apt_home=$(mktemp -d)
trap 'rm -rf "$apt_home"' EXIT
mkdir -p "$apt_home/lists/partial" "$apt_home/archives/partial"
apt_lists() { printf '%s\\n' 'APT::Sandbox::User "root";' "Dir::Cache \\"$apt_home\\";" "Dir::State::lists \\"$1\\";" >"$apt_home/conf"; }
apt_lists "$apt_home/lists"
export APT_CONFIG="$apt_home/conf" DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt_try() {
  apt-get -q -s -o Debug::NoLocking=1 --no-install-recommends --no-remove install "$@" >"$apt_home/said" 2>&1 || return
  ! grep -E '^(Inst [^ ]* \\[|Remv )' "$apt_home/said" >>"$apt_home/errors"
}
apt_new() {
  timeout 40 apt-get -q -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::Languages=none update >"$apt_home/errors" 2>&1 || :
  apt_try "$@" || {
    apt_lists /var/lib/apt/lists
    apt_try "$@" || {
      cat "$apt_home/said" "$apt_home/errors" | grep -E '^([EW]: |Err:|Inst |Remv )' | sort -u
      return 1
    }
  }
  sed -n 's/^Inst \\([^ ]*\\) (\\([^ ]*\\) .*/\\1=\\2/p' "$apt_home/said" | sort
}
apt_broken() {
  audit=$(dpkg --audit 2>&1 | tr -s ' \\n' ' ')
  [ -n "$audit$(ls /var/lib/dpkg/updates)" ] || return
  echo "dpkg was interrupted: $audit"
}`

/**
 * Waits until nobody else holds dpkg's lock, at most 300 s, and says who does: while it waits as a line `@note` to descriptor 3,
 * where that is open, and in its error.
 */
export const aptFree: Sh = `apt_holder() {
  for lock in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock; do
    inode=$(stat -c %i "$lock" 2>/dev/null) || continue
    pid=$(awk -v inode="$inode" '$2 == "POSIX" { n = split($6, part, ":"); if (part[n] == inode) { print $5; exit } }' /proc/locks)
    [ -n "$pid" ] || continue
    echo "process $pid ($(tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-80 | sed 's/ *$//'))"
    return
  done
  return 1
}
waited=0
while holder=$(apt_holder); do
  [ $waited -lt 300 ] || {
    echo "the lock of the package manager has been held for more than 300 s by $holder"
    exit 1
  }
  [ $((waited % 20)) -ne 0 ] || { echo "@note waiting for $holder, which holds the lock of the package manager" >&3; } 2>/dev/null || :
  sleep 1
  waited=$((waited + 1))
done`

/**
 * `dnf_new NAME…` prints what would come new, as `NAME=VERSION`; status 1 with what dnf said where that is not possible, or not
 * without upgrading something. From the table of `dnf install --assumeno`, whose long names have a line of their own.
 */
export const dnf: Sh = `dnf_new() {
  said=$(LC_ALL=C dnf -q --assumeno --setopt=install_weak_deps=False install "$@" 2>&1) || :
  case $said in
    *Upgrading:* | *Removing:* | *Downgrading:*) printf '%s\\n' "$said"; return 1 ;;
    *Installing*) ;;
    *) printf '%s\\n' "$said" | tail -n 3; return 1 ;;
  esac
  printf '%s\\n' "$said" | awk '
    /^Installing/ { on = 1; next }
    /^Transaction Summary/ { exit }
    !on || NF == 0 || /^=/ { next }
    NF == 1 { name = $1; next }
    { if (name != "") { print name "=" $2; name = "" } else print $1 "=" $3 }' | sort
}`
