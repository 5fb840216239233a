#!/bin/sh
# Makes an image that tests need and that no bundle has, as an OCI archive for `ctr images import`, and prints its path. It is made
# once and kept under the XDG cache directory. Takes the Go module proxy, and Debian's archive (mmdebstrap).
#   make.sh agnhost              the image of the conformance suites, of the Kubernetes version that k8snet deploys
#   make.sh python               no agnhost, but python3
#   make.sh flannel              upstream's image as kube-flannel.yml uses it: flanneld and install-conf
#   make.sh flannel-cni-plugin   upstream's image with the CNI plugin
set -eu
kubernetes=1.37.1
flannel=0.28.9
plugins=1.9.1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/k8snet
bundle=$cache/bundles/$kubernetes-amd64
name=$1
case $name in
  agnhost) ref=registry.k8s.io/e2e-test-images/agnhost:2.66.1 entry=/agnhost ;;
  python) ref=registry.example/probe/python:1 entry=/bin/sh ;;
  flannel) ref=ghcr.io/flannel-io/flannel:v$flannel entry=/opt/bin/flanneld ;;
  flannel-cni-plugin) ref=ghcr.io/flannel-io/flannel-cni-plugin:v$plugins-flannel3 entry=/flannel ;;
  *) echo "no image $name" >&2 && exit 2 ;;
esac
made=$cache/test-images/$name-$(sha256sum <"$0" | cut -c 1-16).tar
mkdir -p "$cache/test-images"
# Whoever asks for it at the same time, for another host, waits here and has it then.
exec 9>"$cache/test-images/lock"
flock 9
[ ! -e "$made" ] || { echo "$made" && exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/oci/blobs/sha256" "$work/top"

# A small Debian with what the image of agnhost has besides agnhost, and python3.
tools() {
  root=$cache/test-images/tools-bookworm-1.tar
  [ -e "$root" ] || {
    mmdebstrap --quiet --format=tar --variant=essential --include=curl,bind9-dnsutils,iputils-ping,python3-minimal \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$root.new" >&2
    mv "$root.new" "$root"
  }
  echo "$root"
}

# go_build MODULE VERSION PACKAGE OUTPUT [REPLACED-AT]: in a module of its own, with what MODULE replaces by its own folders
# taken from the proxy at another version.
go_build() (
  mkdir "$work/go" && cd "$work/go"
  printf 'module test/image\n\ngo 1.26.0\ngodebug default=go1.26\nrequire %s v%s\n' "$1" "$2" >go.mod
  [ -z "${5:-}" ] || {
    mod=$(go mod download -json "$1@v$2" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    sed -n "s#^[[:space:]]*\([a-z0-9./-]*\) => \./.*#replace \1 => \1 v$5#p" "$mod" >>go.mod
  }
  CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOTOOLCHAIN=local go build -mod=mod -trimpath -ldflags '-s -w' -o "$4" "$3" >&2
)

# What the program image of the bundle lies on: the layers of its flannel, without the last one.
bundle_root() {
  digest=$(python3 -c 'import json, sys
images = json.load(open(sys.argv[1] + "/manifest.json"))["artifacts"]
image = next(it for it in images if it["name"].startswith("ghcr.io/flannel-io/flannel:"))
manifest = json.load(open(sys.argv[1] + "/blobs/sha256/" + image["sha256"]))
print(manifest["layers"][0]["digest"].split(":")[1])' "$bundle")
  echo "$bundle/blobs/sha256/$digest"
}

case $name in
  agnhost)
    set -- "$(tools)"
    go_build k8s.io/kubernetes "$kubernetes" k8s.io/kubernetes/test/images/agnhost "$work/top/agnhost" "0.${kubernetes#*.}"
    ;;
  python) set -- "$(tools)" ;;
  flannel)
    set -- "$(bundle_root)"
    mkdir -p "$work/top/opt/bin"
    go_build github.com/flannel-io/flannel "$flannel" github.com/flannel-io/flannel/cmd/install_conf "$work/top/opt/bin/install-conf"
    cp "$cache"/made/flanneld-*/flanneld "$work/top/opt/bin/flanneld"
    ;;
  flannel-cni-plugin)
    set -- "$(bundle_root)"
    cp "$bundle/files/flannel" "$work/top/flannel"
    ;;
esac
tar -C "$work/top" --owner=0 --group=0 --mtime=@0 --sort=name -cf "$work/top.tar" .
set -- "$@" "$work/top.tar"

# blob FILE: puts it under its digest and prints that.
blob() {
  sum=$(sha256sum <"$1" | cut -d ' ' -f 1)
  cp "$1" "$work/oci/blobs/sha256/$sum"
  echo "$sum"
}
descriptor() { printf '{"mediaType":"application/vnd.oci.image.%s","digest":"sha256:%s","size":%s' "$1" "$2" "$(stat -c %s "$work/oci/blobs/sha256/$2")"; }
layers='' ids=''
for layer; do
  sum=$(blob "$layer")
  layers=$layers${layers:+,}$(descriptor layer.v1.tar "$sum")'}'
  ids=$ids${ids:+,}'"sha256:'$sum'"'
done
printf '{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Entrypoint":["%s"]},"rootfs":{"type":"layers","diff_ids":[%s]}}' "$entry" "$ids" >"$work/config"
config=$(blob "$work/config")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s},"layers":[%s]}' "$(descriptor config.v1+json "$config")" "$layers" >"$work/manifest"
manifest=$(blob "$work/manifest")
printf '{"schemaVersion":2,"manifests":[%s,"annotations":{"io.containerd.image.name":"%s"}}]}' "$(descriptor manifest.v1+json "$manifest")" "$ref" >"$work/oci/index.json"
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/oci/oci-layout"
tar -C "$work/oci" -cf "$work/image.tar" .
mv "$work/image.tar" "$made.new"
mv "$made.new" "$made"
echo "$made"
