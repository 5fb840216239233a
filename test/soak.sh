#!/bin/sh
# npm run soak -- [--rounds N]: kills k8snet with -9 at N (30) random moments of `up` on the lab, and shows what came of each.
set -eu
cd "$(dirname "$0")/.."
case ${1:-} in
  '') rounds=30 ;;
  --rounds) rounds=${2:?usage: npm run soak -- --rounds N} ;;
  *) echo "usage: npm run soak -- --rounds N" >&2; exit 2 ;;
esac
sh vagrant/demo.sh
K8SNET_ROUNDS=$rounds exec npx vitest run --project soak --reporter verbose
