# Ends what containerd leaves running when it stops: the shims of containers that nobody took away.
ended=no
for exe in /proc/[0-9]*/exe; do
  case $(readlink "$exe" 2>/dev/null) in
  /usr/local/bin/containerd-shim-runc-v2*)
    pid=${exe#/proc/}
    kill -9 "${pid%/exe}" 2>/dev/null || :
    ended=yes
    ;;
  esac
done
[ "$ended" = no ] || sleep 1
