#!/bin/bash
# The first program in the lab, or with systemd its lab.service (systemd.sh): turns the booted
# machine into a host, runs `command` from the directory of results, and ends the machine at once.
# It never runs outside the lab.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8

results=/run/lab/results
parameter() { sed -n "s/.*\blab\.$1=\([^ ]*\).*/\1/p" /proc/cmdline; }
finish() {
  echo "$1" >$results/exit-code
  sync
  # A shutdown would wait forever for a device whose driver does not release it.
  echo 1 >/proc/sys/kernel/sysrq
  echo b >/proc/sysrq-trigger
}
fail() {
  echo "lab: $*"
  finish 1
}

# Record what every process waits for, if the machine still runs near its time limit.
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

# --- Python's files, from the image ------------------------------------------

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
# In its usual place: programs that run as root take no library from the environment.
ln -s "$(parameter nvml)/libnvidia-ml.so.1" /usr/lib/x86_64-linux-gnu/

# --- cards ----------------------------------------------------------------------

modprobe lab_cards "models=$(parameter models)" || fail 'no cards'
modprobe nvidia || fail 'no nvidia driver'
modprobe snd_hda_intel
modprobe vfio-pci || true # fails without an IOMMU
udevadm settle

# --- libvirt: settings of its own, and no domain of the outer machine -------------

for place in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt /run/libvirt; do
  mkdir -p $place
  mount -t tmpfs -o mode=755 tmpfs $place
done
mkdir -p /run/lock /var/log/libvirt/qemu /var/lib/libvirt/qemu /run/dbus
# libvirt's package creates this user when it sets up the daemon; it must exist.
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
if [ -d /run/systemd/system ]; then
  systemctl start libvirtd.service
else
  dbus-daemon --system --fork
  virtlogd --daemon
  libvirtd --daemon
fi
# The first request makes it probe QEMU for ten seconds; the command starts meanwhile.
virsh --connect qemu:///system version >/dev/null &

# --- the command ----------------------------------------------------------------

. $results/command
finish $?
