#!/bin/bash
# The first program of the lab: makes a host of the booted machine, runs what the folder of
# results holds as `command`, and ends the machine at once. Nothing of it is run outside.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

results=/run/lab/results
parameter() { sed -n "s/.*\blab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
finish() {
  echo "$1" >$results/exit-code
  sync
  # A shutdown would wait for ever for a device whose driver does not let go of it.
  echo 1 >/proc/sys/kernel/sysrq
  echo b >/proc/sysrq-trigger
}
fail() {
  echo "lab: $*"
  finish 1
}

# What everything waits for, should the machine still be there when its time is nearly up.
(
  sleep "$(parameter watch)" || exit
  for task in /proc/[0-9]*/task/*; do
    command=$(tr '\0' ' ' <"$task/cmdline" | cut -c 1-160)
    [ -n "$command" ] || continue
    echo "== $task $command"
    grep State "$task/status"
    cat "$task/stack"
  done >$results/waiting 2>&1
) </dev/null >/dev/null 2>&1 &

# --- what Python reads, from the image ------------------------------------------

project=$(parameter project)
mkdir -p /run/lab/image /run/lab/upper /run/lab/work
mount -t squashfs -o ro /dev/disk/by-id/virtio-lab /run/lab/image || fail 'no image'
mount -t overlay -o "lowerdir=/run/lab/image$project,upperdir=/run/lab/upper,workdir=/run/lab/work" \
  overlay "$project" || fail 'no project'
for place in $(parameter stdlib | tr , ' '); do
  mount --bind "/run/lab/image$place" "$place" || fail "no $place"
done
cd "$project" || fail 'no project'
export PATH=$project/.venv/bin:$PATH PYTHONPATH=$project
export XDG_STATE_HOME=/run/lab/state XDG_CONFIG_HOME=/run/lab/config
# In its usual place: what is run as root takes no library from its environment.
ln -s "$(parameter nvml)/libnvidia-ml.so.1" /usr/lib/x86_64-linux-gnu/

# --- cards ----------------------------------------------------------------------

modprobe lab_cards "models=$(parameter models)" || fail 'no cards'
modprobe nvidia || fail 'no nvidia driver'
modprobe snd_hda_intel
modprobe vfio-pci || true # without an IOMMU it has nothing to do
udevadm settle

# --- libvirt: its own settings, and no domain of the machine that this runs on ----

for place in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run/libvirt; do
  mkdir -p $place
  mount -t tmpfs -o mode=755 tmpfs $place
done
mkdir -p /run/lock /var/log/libvirt/qemu /var/lib/libvirt/qemu /run/dbus
# The user that libvirt's package makes where it sets up the daemon: it has to exist.
getent passwd libvirt-qemu >/dev/null || {
  echo 'libvirt-qemu:x:64055:' >>/etc/group
  echo 'libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin' >>/etc/passwd
}
cat >/etc/libvirt/qemu.conf <<'SETTINGS'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
SETTINGS
cat >/etc/libvirt/libvirtd.conf <<'SETTINGS'
auth_unix_rw = "none"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
SETTINGS
dbus-daemon --system --fork
virtlogd --daemon
libvirtd --daemon
# The first request makes it look at QEMU, for ten seconds: meanwhile the command begins.
virsh --connect qemu:///system version >/dev/null &

# --- the command ----------------------------------------------------------------

. $results/command
finish $?
