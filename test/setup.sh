#!/bin/sh
# Installs the Debian packages that the tests use and that are not there yet.
set -eu
missing=
# command:package
for need in sshd:openssh-server curl:curl sudo:sudo ip:iproute2 iptables:iptables nft:nftables shellcheck:shellcheck openssl:openssl pgrep:procps ssh-keygen:openssh-client perl:perl python3:python3 nsenter:util-linux busybox:busybox dash:dash fish:fish csh:csh zsh:zsh doas:opendoas xmllint:libxml2-utils chromium:chromium; do
  PATH=$PATH:/usr/sbin:/sbin command -v "${need%%:*}" >/dev/null 2>&1 || missing="$missing ${need#*:}"
done
[ -n "$missing" ] || exit 0
echo "installing for the tests:$missing"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of words
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
