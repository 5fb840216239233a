#!/bin/sh
# npm test: every layer. npm run test:quick (`all.sh quick`): the layers that need no lab. npm run test:faults: only the faults.
# Installs what it needs, and ends with one line: N passed, N failed. Exit status 0 only when nothing failed.
set -u
cd "$(dirname "$0")/.."
layers=${1:-all}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
# what failed, be it only at the first try: written by test/failures.ts, said at the end
export FAILURES="$results/failures"

stop() {
  echo "$1" >&2
  echo '0 passed, 1 failed'
  exit 1
}

sh test/setup.sh || stop 'what the tests need could not be installed'
sh vagrant/build.sh || stop 'k8snet does not build'
npm run --silent check || stop 'the static checks failed'

# layer NAME VITEST-ARGUMENTS...
layer() {
  name=$1
  shift
  npx vitest run "$@" --reporter ./test/failures.ts --reporter json --outputFile.json="$results/$name.json"
}
quick() { layer quick --project unit --project system --reporter default; }
# An operator's day comes first: it begins with the demo, which installs what the lab needs.
lab() { layer lab --project cluster test/cluster/lab.test.ts --reporter verbose; }
cluster() { layer cluster --project cluster --exclude test/cluster/lab.test.ts --reporter verbose; }
faults() { layer faults --project faults --reporter verbose --reporter ./test/faults/reporter.ts; }
soak() { layer soak --project soak --reporter verbose; }

case $layers in
  all) run='quick lab cluster faults soak' ;;
  quick) run=quick ;;
  faults)
    run=faults
    sh vagrant/demo.sh || stop 'the lab does not come up'
    ;;
  *) stop "there is no layer $layers" ;;
esac
for it in $run; do "$it"; done
[ ! -s "$FAILURES" ] || cat "$FAILURES"
# shellcheck disable=SC2086 # a list of words
node test/count.mjs "$results" $run
