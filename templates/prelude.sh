# The functions that compiled actions use; put before every script that changes a host. POSIX sh.
state=/var/lib/k8snet
umask 022
mkdir -p "$state" /run/k8snet
chmod 0700 "$state" /run/k8snet

# take_over LOCK: a transfer that still holds LOCK waits for bytes that no longer come, because its link fell silent; it is ended.
take_over() {
  exec 8>>"$1"
  flock -n 8 || {
    end_tree "$(cat "$1")"
    flock -w 20 8 || exit 1
  }
  echo $$ >"$1"
}
# end_tree PID: ends a process and all that it started.
end_tree() {
  awk -v parent="$1" '/^Pid:/ { pid = $2 } /^PPid:/ && $2 == parent { print pid }' /proc/[0-9]*/status 2>/dev/null |
    while read -r child; do end_tree "$child"; done
  kill -9 "$1" 2>/dev/null || :
}

# stopped: did somebody ask to stop after the action under way?
stopped() { [ -e /run/k8snet/stop ]; }

# mkdirs FILE: makes the directories above FILE and remembers those that were not there.
mkdirs() {
  d=${1%/*}
  missing=
  while [ -n "$d" ] && [ ! -d "$d" ]; do
    missing="$d
$missing"
    d=${d%/*}
  done
  [ -z "$missing" ] || {
    printf '%s' "$missing" >>"$state/dirs"
    sync "$state/dirs" 2>/dev/null || sync
  }
  mkdir -p "${1%/*}/"
}

# unmkdirs FILE: removes the directories above FILE again, as long as they are ours and empty.
unmkdirs() {
  d=${1%/*}
  while [ -n "$d" ] && grep -qxF "$d" "$state/dirs" 2>/dev/null && rmdir "$d" 2>/dev/null; do
    d=${d%/*}
  done
  return 0
}

# put NEW PATH: renames NEW over PATH, or over what PATH links to; a mount point's content is replaced, for it cannot be renamed over.
put() {
  to=$2
  [ ! -L "$to" ] || to=$(readlink -f "$to")
  mv -f "$1" "$to" 2>/dev/null || {
    cat "$1" >"$to"
    rm -f "$1"
  }
}

# tidy PATH: removes what a write of PATH that broke off left beside it.
tidy() {
  [ ! -e "$1.k8snet" ] || rm -f "$1.k8snet"
  [ ! -e "$1.k8snet.new" ] || rm -f "$1.k8snet.new"
}

# changed [WORDS]: it is not as we left it. Stops with 97 (changedStatus in src/actions/kind.ts), unless that is to be overwritten.
changed() {
  [ -n "${overwrite-}" ] || {
    [ $# -eq 0 ] || printf '%s\n' "$*"
    exit 97
  }
}

# changed_file PATH: the same, with the file as it is now.
changed_file() {
  [ -n "${overwrite-}" ] || {
    head -c 65536 "$1" 2>/dev/null || :
    exit 97
  }
}

# has FILE LINE: is there a line that is exactly LINE?
has() { grep -qxF -e "$2" "$1"; }

# append FILE LINE: a last line. A file whose last line has no end keeps it so.
append() {
  if [ ! -s "$1" ] || [ -z "$(tail -c 1 "$1")" ]; then
    printf '%s\n' "$2" >>"$1"
  else
    printf '\n%s' "$2" >>"$1"
  fi
}

# replace FILE OLD keep|delete NEW: the first line that is exactly OLD; status 1 where there is none.
replace() {
  end=
  [ ! -s "$1" ] || end=$(tail -c 1 "$1")
  OLD=$2 NEW=$4 HOW=$3 END=${end:+open} awk '
    BEGIN { old = ENVIRON["OLD"]; new = ENVIRON["NEW"]; drop = ENVIRON["HOW"] == "delete"; open = ENVIRON["END"] == "open" }
    !done && $0 == old { done = 1; if (drop) next; $0 = new }
    { if (n++) printf "\n"; printf "%s", $0 }
    END { if (n && !open) printf "\n"; exit !done }' "$1" >"$1.new" || {
    rm -f "$1.new"
    return 1
  }
  cat "$1.new" >"$1"
  rm -f "$1.new"
}

# keep_first PATH EDITED, before EDITED takes the place of PATH: keeps a copy of PATH as it was before the first edit, and the hash of
# every state since. As long as nobody else writes to PATH, going back is to the byte; once somebody did, the hashes are empty.
keep_first() {
  first="$state/first$1"
  if [ ! -e "$first" ]; then
    mkdir -p "${first%/*}"
    cp "$1" "$first.new"
    sync "$first.new" 2>/dev/null || sync
    sha256sum <"$1" >"$first.left"
    mv "$first.new" "$first"
  elif as_first "$1"; then
    sha256sum <"$1" >"$first.left"
  elif ! as_left "$1"; then
    : >"$first.left"
  fi
  [ ! -s "$first.left" ] || sha256sum <"$2" >>"$first.left"
}

# as_left PATH, as_first PATH: is it as an edit of ours left it, or as it was before the first?
as_left() {
  [ -e "$state/first$1" ] && grep -qxF -e "$(sha256sum <"$1")" "$state/first$1.left"
}
as_first() {
  [ -e "$state/first$1" ] && [ "$(sha256sum <"$1")" = "$(sha256sum <"$state/first$1")" ]
}

# keep_aside PATH, give_back PATH: somebody else's file that an artifact takes the place of. The first one is the one to keep.
keep_aside() {
  [ ! -e "$state/kept$1" ] || return 0
  mkdir -p "$state/kept${1%/*}"
  mv "$1" "$state/kept$1"
}
give_back() {
  [ ! -e "$state/kept$1" ] || mv "$state/kept$1" "$1"
}

# as_sent PATH SHA256...: is it one of the artifacts that we put there? Hashed only where its size and time are not those noted.
as_sent() {
  file=$1
  shift
  now=$(stat -c '%s %Y %n' "$file") || return 1
  for sum; do
    ! grep -qxF "$sum $now" "$state/artifacts" 2>/dev/null || return 0
  done
  is=$(sha256sum <"$file")
  for sum; do
    [ "$is" != "$sum  -" ] || return 0
  done
  return 1
}

# swapping NAME: is the swap area, as /proc/swaps writes it, in use?
swapping() {
  while read -r name _; do
    [ "$name" != "$1" ] || return 0
  done </proc/swaps
  return 1
}

# units_changed marks that systemd must read its unit files again; reload_units does so where it is marked.
units_changed() { : >/run/k8snet/units-changed; }
reload_units() {
  [ ! -e /run/k8snet/units-changed ] || {
    systemctl daemon-reload
    rm -f /run/k8snet/units-changed
  }
}

# note LINES: into the journal. Two stages of a host may be under way. What is written starts with an end of line, so that a line
# that was torn off by a crash takes no other with it.
note() {
  (
    flock 9 2>/dev/null || :
    printf '\n%s\n' "$1" >&9
  ) 9>>"$state/journal"
}

# journal LINE: an entry of the journal, on the disk before the change begins; without it there is no change.
journal() {
  { note "$ends$1" && { sync "$state/journal" 2>/dev/null || sync; }; } || {
    echo "the journal $state/journal could not be written" >&2
    exit 74
  }
  ends=
}

# ended ID done|failed: how an action ended. It is noted with the next entry, or when the script ends: to lose it does no harm.
ends=
ended() {
  ends="$ends{\"$2\":\"$1\"}
"
}
write_ends() { [ -z "$ends" ] || note "$ends" 2>/dev/null || :; }
trap write_ends EXIT

# undone ID...: these entries are taken back. On a full disk it goes on, for what is undone makes room.
undone() {
  for id; do
    note "{\"undone\":\"$id\"}" || :
  done
}

# forget removes all that k8snet keeps on the host, once everything is undone. The script itself may be a job that lies in /run.
forget() {
  [ ! -e "$state/dirs" ] || sort -r "$state/dirs" | while read -r d; do
    rmdir "$d" 2>/dev/null || :
  done
  rm -rf "$state"
  for it in /run/k8snet/*; do
    case $it in */jobs | */job.lock) ;; *) rm -rf "$it" ;; esac
  done
  rmdir /run/k8snet 2>/dev/null || :
}
