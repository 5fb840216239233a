#!/bin/sh
# Turns a minimal Debian root directory into a lab host. Called by mmdebstrap with the directory as its argument.
set -eu
root=$1
here=$(cd "$(dirname "$0")" && pwd)

install -m 0755 "$here/lab-init" "$root/usr/sbin/lab-init"

# The user is an ordinary one who may sudo, as on a cloud image. The key is Vagrant's well-known one:
# Vagrant replaces it with a new key per host when the host first comes up.
chroot "$root" useradd --create-home --shell /bin/bash vagrant
printf 'vagrant ALL=(ALL) NOPASSWD: ALL\n' >"$root/etc/sudoers.d/vagrant"
chmod 0440 "$root/etc/sudoers.d/vagrant"
install -d -m 0700 "$root/home/vagrant/.ssh"
install -m 0600 "$here/vagrant.pub" "$root/home/vagrant/.ssh/authorized_keys"
chroot "$root" chown -R vagrant:vagrant /home/vagrant/.ssh

# Every host makes its own host keys and machine-id at its first start, and keeps them.
rm -f "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id"
: >"$root/etc/hostname"
: >"$root/etc/hosts"
install -d "$root/etc/systemd/system/ssh.service.d"
cat >"$root/etc/systemd/system/ssh.service.d/host-keys.conf" <<'UNIT'
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
UNIT
cat >"$root/etc/ssh/sshd_config.d/lab.conf" <<'CONF'
PasswordAuthentication no
PermitRootLogin no
UseDNS no
MaxStartups 100
CONF

# Units that make no sense in a container, or that would disturb a lab.
for unit in \
  systemd-modules-load.service systemd-remount-fs.service systemd-logind.service console-getty.service getty.target \
  dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount \
  sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# Debian's firewalld is on from its installation; nftables is not, and ufw does nothing before `ufw enable`.
chroot "$root" systemctl --quiet disable firewalld.service
# pid_max belongs to the machine that the lab runs on.
ln -sf /dev/null "$root/etc/sysctl.d/50-pid-max.conf"
ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
