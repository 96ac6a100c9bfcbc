"""The lab with systemd as PID 1: that its units, its logind and its libvirtd are real, and that
libvirt reports how a guest really ended. Other tests rely on this."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.follow import domain_events
from tests.lab.host import PATIENCE, holds, link, run, until, virsh
from tests.lab.sector import sector_guest
from tests.lab.swaps import CARD, HOST, SOUND, VFIO, drivers
from tests.lab.units import (
    LIBVIRTD,
    VFIOTOP,
    await_new_process,
    await_state,
    drop_in,
    followed_journal,
    inhibitors,
    installed,
    journal,
    kill,
    kill_libvirtd,
    kill_qemu,
    main_pid,
    qemu_pid,
    restart_libvirtd,
    show,
    state,
    systemctl,
    without_libvirtd,
)

pytestmark = pytest.mark.only("systemd")

# --- the machine -------------------------------------------------------------------


def test_systemd_runs_the_machine_and_nothing_has_failed() -> None:
    assert Path("/proc/1/comm").read_text() == "systemd\n"
    assert state("lab.target") == "active"
    assert systemctl("list-units", "--failed", "--plain", "--no-legend") == ""
    assert systemctl("is-system-running", "--wait") == "running\n"
    for unit in ("dbus.service", "systemd-udevd.service", "systemd-logind.service"):
        assert state(unit) == "active", unit
    detected = subprocess.run(["systemd-detect-virt", "--container"], check=False,
                              capture_output=True, text=True, timeout=PATIENCE)  # fmt: skip
    assert detected.stdout == "none\n"
    assert "lab.service" in Path("/proc/self/cgroup").read_text()


def test_none_of_the_outer_machines_units_runs() -> None:
    services = systemctl("list-units", "--type", "service,timer", "--state", "active", "--plain",
                         "--no-legend")  # fmt: skip
    # libvirt asks for polkit where it is installed.
    ours = ("systemd-", "modprobe@", "kmod-static", "dbus", "polkit", "libvirtd", "virtlogd", "lab")
    others = [line for line in services.splitlines() if not line.startswith(ours)]
    assert others == []


# --- units ---------------------------------------------------------------------------

NOTIFY = """\
[Service]
Type=notify
ExecStart=/nonexistent
WatchdogSec=20
Restart=on-watchdog
TimeoutAbortSec=1
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
"""

SERVICE = """
import os, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit("it was asked to end"))
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.connect(os.environ["NOTIFY_SOCKET"].replace("@", "\\0", 1))
seen = [place for place in ("/root", "/tmp") if os.path.exists(f"{place}/lab")]
print("it has begun", seen, os.access("/usr", os.W_OK), os.environ["WORDS"], flush=True)
notify.send(b"READY=1\\nSTATUS=is ready")
while True:
    notify.send(b"WATCHDOG=1")
    time.sleep(int(os.environ["WATCHDOG_USEC"]) / 4e6)
"""

WORDS = '50% of "$HOME" \\'
"""Text that a unit file must quote."""


@pytest.mark.thorough
def test_a_service_that_notifies_is_watched() -> None:
    program = Path("/run/lab/service.py")
    program.write_text(SERVICE)
    for place in ("/root", "/tmp"):
        Path(place, "lab").touch()
    replaced = drop_in(sys.executable, str(program), WORDS=WORDS)
    with installed("lab-notify.service", NOTIFY, replaced) as unit:
        systemctl("start", unit)
        assert (state(unit), show(unit, "StatusText")) == ("active", "is ready")
        assert f"it has begun [] False {WORDS}" in journal(unit)
        pid = kill(unit, signal.SIGSTOP)
        new = await_new_process(unit, pid)
        assert show(unit, "NRestarts") == "1"
        with followed_journal(unit) as lines:
            lines.until("it has begun")
            lines.until("Watchdog timeout")
            lines.until("it has begun")
        assert main_pid(unit) == new
        kill(unit, signal.SIGKILL)
        assert await_state(unit, "failed", "inactive") == "failed"
        assert (show(unit, "Result"), main_pid(unit)) == ("signal", 0)
        systemctl("start", unit)
        systemctl("stop", unit)
        assert "it was asked to end" in journal(unit)


ONCE = """\
[Service]
Type=oneshot
ExecStart=/nonexistent
"""


@pytest.mark.thorough
@pytest.mark.usefixtures("whole")
def test_a_swap_as_a_unit() -> None:
    with installed("lab-bind.service", ONCE, drop_in(VFIOTOP, "bind", "--yes")) as unit:
        systemctl("start", unit)
        assert drivers() == VFIO
        assert any(re.match(r"done +8/8 ", line) for line in journal(unit))
    told = run("systemd-run", "--wait", "--pipe", "--collect", VFIOTOP, "unbind", "--yes")
    assert re.search(r"^done +(\d+)/\1 ", told, re.MULTILINE)
    assert drivers() == HOST


# --- logind ----------------------------------------------------------------------------


@pytest.mark.thorough
def test_an_inhibitor_lasts_as_long_as_its_process() -> None:
    assert inhibitors() == []
    lock = ("--what=sleep", "--mode=block", "--who=lab", "--why=a guest has the card")
    process = subprocess.Popen(["systemd-inhibit", *lock, "sleep", "infinity"])
    try:
        until(lambda: len(inhibitors()) == 1)
        (held,) = inhibitors()
        assert (held.who, held.why, held.mode) == ("lab", "a guest has the card", "block")
        assert (held.uid, held.pid) == (0, process.pid)
        assert inhibitors("shutdown") == []
        assert 'Operation inhibited by "lab"' in kept_awake_by()
    finally:
        process.kill()
        process.wait(PATIENCE)
    until(lambda: inhibitors() == [])
    assert kept_awake_by() == ""


def kept_awake_by() -> str:
    """What keeps the machine from sleeping, as systemctl tells root; empty if nothing does."""
    done = subprocess.run(
        ["systemctl", "--dry-run", "--check-inhibitors=yes", "suspend"], check=False,
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr


# --- libvirt ---------------------------------------------------------------------------


@pytest.mark.thorough
def test_libvirtd_is_a_unit_and_its_guests_outlive_it(tmp_path: Path) -> None:
    with sector_guest(tmp_path) as guest:
        guest.start()
        libvirtd, qemu = main_pid(LIBVIRTD), qemu_pid(guest.name)
        restart_libvirtd()
        restarted = main_pid(LIBVIRTD)
        kill_libvirtd()
        assert len({libvirtd, restarted, main_pid(LIBVIRTD)}) == 3
        with without_libvirtd():
            assert state(LIBVIRTD) == "inactive"
            assert Path(f"/proc/{qemu}").exists()
            done = subprocess.run(["virsh", "--connect", "qemu:///system", "version"],
                                  capture_output=True, timeout=PATIENCE, check=False)  # fmt: skip
            assert done.returncode != 0
        assert (guest.state(), qemu_pid(guest.name)) == ("running (booted)", qemu)


@pytest.mark.thorough
def test_a_guests_ends_as_libvirt_reports_them(tmp_path: Path) -> None:
    with sector_guest(tmp_path) as guest, domain_events() as events:
        for end, reason, event in (
            (guest.shut_down, "shutdown", "stopped, shutdown"),
            (lambda: virsh("shutdown", "vm"), "shutdown", "stopped, shutdown"),
            (lambda: virsh("destroy", "vm"), "destroyed", "stopped, destroyed"),
            (lambda: kill_qemu("vm"), "crashed", "stopped, failed"),
            (guest.panic, "crashed", "stopped, crashed"),
        ):
            guest.start()
            events.until("vm: started, booted")
            end()
            events.until(f"vm: {event}")
            guest.await_state(f"shut off ({reason})")


TICKS = 5
"""The number of looks at its power button after which a guest has seen it pressed."""


@pytest.mark.thorough
def test_a_guest_that_reboots_itself_goes_on(tmp_path: Path) -> None:
    with sector_guest(tmp_path) as guest, domain_events() as events:
        guest.start()
        pid = qemu_pid("vm")
        guest.reboot()
        events.until("vm: reboot")
        assert (guest.state(), qemu_pid("vm")) == ("running (booted)", pid)
        guest.ignore_the_button()
        virsh("shutdown", "vm")
        for _ in range(TICKS):
            guest.await_answer()
        guest.shut_down()
        events.until("vm: stopped, shutdown")
        assert [line for line in events.lines if "stopped" in line] == ["vm: stopped, shutdown"]


@pytest.mark.thorough
@pytest.mark.usefixtures("whole")
def test_a_guest_with_the_card_shuts_itself_down(tmp_path: Path) -> None:
    run(VFIOTOP, "bind", "--yes")
    with sector_guest(tmp_path, CARD, SOUND) as guest:
        guest.start()
        assert f"/dev/vfio/{link(CARD, 'iommu_group')}" in holds([pid := qemu_pid("vm")])[pid]
        guest.reboot()
        guest.shut_down()
        guest.await_state("shut off (shutdown)")
    run(VFIOTOP, "unbind", "--yes")
    assert drivers() == HOST
