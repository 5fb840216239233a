#!/bin/sh
# Makes the image of a lab host for Vagrant's docker provider: a small Debian 12 with systemd and sshd, as a cloud image has.
# usage: build.sh IMAGE      IMAGE is name:tag. Needs mmdebstrap and a running Docker engine.
set -eu
image=$1
here=$(cd "$(dirname "$0")" && pwd)

# What a bare host has. No container runtime and nothing of Kubernetes: k8snet brings those.
packages=systemd,systemd-sysv,dbus,openssh-server,sudo,iproute2,iptables,nftables,kmod,procps,ca-certificates
packages=$packages,conntrack,ethtool,iputils-ping,curl,python3-minimal,perl-base,bash-completion
# Firewalls, installed and off: who wants one on a lab host switches it on.
packages=$packages,ufw,firewalld

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

mmdebstrap --quiet --variant=minbase --include="$packages" \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --customize-hook="'$here/customize.sh' \"\$1\"" \
  bookworm "$work/root.tar"
docker import --change 'ENTRYPOINT ["/sbin/lab-init"]' "$work/root.tar" "$image"
