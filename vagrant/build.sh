#!/bin/sh
# Installs the npm packages of this checkout and compiles it, each only where it is missing or older than what it is made from.
set -eu
cd "$(dirname "$0")/.."

need() {
  command -v "$1" >/dev/null && return
  echo "LAB_TOOL: there is no $1 on this machine" >&2
  echo "  fix: install $2" >&2
  exit 2
}
newer() { [ -n "$(find "$@" -print 2>/dev/null | head -n 1)" ]; }

need node 'Node.js 20.19 or newer'
need npm 'npm, which comes with Node.js'
installed=node_modules/.package-lock.json
if [ ! -e $installed ] || newer package-lock.json -newer $installed; then
  echo 'Installing the npm packages of this project (npm ci)' >&2
  npm ci --no-progress >&2
fi
if [ ! -e dist/cli.js ] || newer src package.json tsconfig.json tsconfig.build.json rolldown.config.mjs -type f -newer dist/cli.js; then
  echo 'Compiling k8snet (npm run build)' >&2
  # Its list of files is worth reading only when it fails.
  said=$(npm run --silent build 2>&1) || { printf '%s\n' "$said" >&2; rm -f dist/cli.js; exit 1; }
fi
