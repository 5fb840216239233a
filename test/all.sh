#!/bin/sh
# npm test: every layer. npm run test:quick (`all.sh quick`): the layers that need no lab.
# Installs what it needs, and ends with one line: N passed, N failed. Exit status 0 only when nothing failed.
set -u
cd "$(dirname "$0")/.."
layers=${1:-all}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

stop() {
  echo "$1" >&2
  echo '0 passed, 1 failed'
  exit 1
}

sh test/setup.sh || stop 'what the tests need could not be installed'
sh vagrant/build.sh || stop 'k8snet does not build'
npm run --silent check || stop 'the static checks failed'

npx vitest run --project unit --project system --reporter default --reporter json --outputFile.json="$results/quick.json"
if [ "$layers" = all ]; then
  npx vitest run --project cluster --reporter verbose --reporter json --outputFile.json="$results/cluster.json"
fi
node test/count.mjs "$layers" "$results"
