#!/bin/sh
# The demo: a real three-node Kubernetes cluster on this machine, with its network proven. `npm run demo` calls it.
# usage: demo.sh                  build what is needed, install what is missing, bring the cluster up
#        demo.sh down [--all]     remove the hosts; with --all also their image
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" != down ] && ! command -v go >/dev/null; then
  echo 'LAB_TOOL: there is no go on this machine' >&2
  echo '  fix: install Go 1.26 or newer; the Kubernetes binaries are built from source' >&2
  exit 2
fi
sh vagrant/build.sh
exec node dist/lab/demo.js "$@"
