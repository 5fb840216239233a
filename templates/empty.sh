# Empties directories that a program made and filled by itself. EMPTIED (MODE:PATH) were there before and stay, REMOVED were not.
# What is mounted below them is unmounted first; nothing is removed as long as something still is.
EMPTIED='@EMPTIED@'
REMOVED='@REMOVED@'

# below DIR: what is mounted below it, the deepest first
below() {
  awk -v dir="$1/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r
}

for dir in $EMPTIED $REMOVED; do
  mode=${dir%%:*}
  dir=${dir#*:}
  [ -d "$dir" ] || continue
  below "$dir" | while IFS= read -r mount; do
    umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || :
  done
  left=$(below "$dir")
  if [ -n "$left" ]; then
    echo "still mounted: $left" >&2
    exit 1
  fi
  rm -rf -- "${dir:?}"/* "${dir:?}"/.[!.]* "${dir:?}"/..?*
  [ "$mode" = "$dir" ] || chmod "$mode" "$dir"
done
for dir in $REMOVED; do
  [ ! -d "$dir" ] || rmdir "$dir"
done
