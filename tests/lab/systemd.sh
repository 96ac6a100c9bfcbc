# Boots the lab with systemd in place of virtme-init: bash, as PID 1, sources this file first
# (BASH_ENV). Makes a writable root file system with the lab's units, and becomes systemd, which
# starts init.sh as lab.service. It never runs outside the lab.
set -eu
unset BASH_ENV
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

mount -t proc proc /proc
grep -q ' /dev devtmpfs ' /proc/mounts || mount -t devtmpfs dev /dev
exec 2>/dev/kmsg

# --- file systems; virtme passes their names in the environment ---------------------

mount -t tmpfs layers /mnt
mkdir /mnt/{root,upper,work}
mount -t overlay -o xino=off,lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root
cd /mnt/root
rm -f .dockerenv # systemd takes a machine with this file for a container
modules=lib/modules/$(uname -r)
rm -rf "$modules"
mkdir -p "${modules%/*}"
ln -s "$virtme_link_mods" "$modules"
mount -t tmpfs -o mode=755,nosuid,nodev run /run
mkdir -p "$virtme_initmount0"
mount -t 9p -o version=9p2000.L,trans=virtio,access=any,msize=524288 \
  virtme.initmount0 "$virtme_initmount0"

# --- units: none that the outer machine's administrator has enabled -----------------

parameter() { sed -n "s/.*\blab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
units=etc/systemd/system
mount -t tmpfs -o mode=755 units $units
: >etc/fstab
echo 1ab1ab1ab1ab1ab1ab1ab1ab1ab1ab1a >etc/machine-id # on a first boot, every unit is enabled
mkdir -p etc/tmpfiles.d etc/systemd/journald.conf.d
ln -sf /dev/null etc/tmpfiles.d/tmp.conf # it empties /tmp, where this project may be
printf '[Journal]\nStorage=volatile\n' >etc/systemd/journald.conf.d/lab.conf
# Slow, and of no use here; generators run at each daemon-reload.
mkdir -p etc/systemd/system-generators
for generator in lib/systemd/system-generators/*; do
  ln -sf /dev/null "etc/systemd/system-generators/${generator##*/}"
done
for unit in systemd-{binfmt,firstboot,hwdb-update,machine-id-commit,pstore,random-seed}.service \
  systemd-{repart,sysusers,update-utmp}.service systemd-journald-audit.socket \
  {cryptsetup,timers}.target {emergency,rescue}.service; do
  ln -s /dev/null "$units/$unit"
done
libvirt=$(parameter units) # unless its units are installed
[ -z "$libvirt" ] || cp "$libvirt"/* $units

# Tests of the boot come first; the machine counts as booting until conftest.py ends it.
boot=
if grep -q 'virtme\.exec=' /proc/cmdline; then
  boot=lab-boot.service
  cat >$units/$boot <<'UNIT'
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'until [ -e /run/lab/booted ]; do sleep 0.2; done'
UNIT
fi
cat >$units/lab.target <<UNIT
[Unit]
Requires=basic.target
Wants=dbus.service systemd-logind.service lab.service $boot
UNIT

# virtme runs a program between ports of its own, and a shell on a console.
if grep -q 'virtme\.exec=' /proc/cmdline; then
  ports=/dev/virtio-ports/virtme
  ends="StandardInput=null
StandardOutput=file:$ports.stdout
StandardError=file:$ports.stderr"
else
  # shellcheck disable=SC2086
  set -- ${virtme_stty_con-} # rows 24 cols 80 …
  ends="StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/$virtme_console
TTYRows=${2-}
TTYColumns=${4-}"
fi
cat >$units/lab.service <<UNIT
[Unit]
Wants=systemd-udev-settle.service
After=basic.target dbus.service systemd-logind.service systemd-udev-settle.service

[Service]
ExecStart=$(parameter project)/tests/lab/init.sh
Environment=HOME=/root TERM=xterm-256color
$ends
UNIT

exec env -i "PATH=$PATH" switch_root . /lib/systemd/systemd --show-status=error --unit=lab.target
