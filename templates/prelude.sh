# The functions that compiled actions use; put before every script that changes a host. POSIX sh.
state=/var/lib/k8snet
umask 022
mkdir -p "$state" /run/k8snet
chmod 0700 "$state" /run/k8snet
rm -f /run/k8snet/stop

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
  [ -z "$missing" ] || printf '%s' "$missing" >>"$state/dirs"
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

# put NEW PATH: renames NEW over PATH; a mount point cannot be renamed over, so its content is replaced.
put() {
  mv -f "$1" "$2" 2>/dev/null || {
    cat "$1" >"$2"
    rm -f "$1"
  }
}

# has FILE LINE: is there a line that is exactly LINE?
has() { grep -qxF -e "$2" "$1"; }

# append FILE LINE, which starts a new line of its own also where the last line of FILE has no end.
append() {
  [ ! -s "$1" ] || [ -z "$(tail -c 1 "$1")" ] || echo >>"$1"
  printf '%s\n' "$2" >>"$1"
}

# replace FILE OLD keep|delete NEW: the first line that is exactly OLD; status 1 where there is none.
replace() {
  OLD=$2 NEW=$4 HOW=$3 awk '
    BEGIN { old = ENVIRON["OLD"]; new = ENVIRON["NEW"]; drop = ENVIRON["HOW"] == "delete" }
    !done && $0 == old { done = 1; if (!drop) print new; next }
    { print }
    END { exit !done }' "$1" >"$1.new" || {
    rm -f "$1.new"
    return 1
  }
  cat "$1.new" >"$1"
  rm -f "$1.new"
}

# keep_aside PATH, give_back PATH: somebody else's file that an artifact takes the place of.
keep_aside() {
  mkdir -p "$state/kept${1%/*}"
  mv "$1" "$state/kept$1"
}
give_back() {
  [ ! -e "$state/kept$1" ] || mv "$state/kept$1" "$1"
}

# units_changed marks that systemd must read its unit files again; reload_units does so where it is marked.
units_changed() { : >/run/k8snet/units-changed; }
reload_units() {
  [ ! -e /run/k8snet/units-changed ] || {
    systemctl daemon-reload
    rm -f /run/k8snet/units-changed
  }
}

# journal LINE: one line of the journal, on the disk before the change begins. Two stages of a host may be under way.
journal() {
  (
    flock 9 2>/dev/null || :
    printf '%s\n' "$1" >&9
  ) 9>>"$state/journal"
  sync "$state/journal" 2>/dev/null || sync
}

# forget removes all that k8snet keeps on the host, once everything is undone.
forget() {
  [ ! -e "$state/dirs" ] || sort -r "$state/dirs" | while read -r d; do
    rmdir "$d" 2>/dev/null || :
  done
  rm -rf "$state" /run/k8snet
}
