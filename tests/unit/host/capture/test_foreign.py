"""Names of other hosts and of people in free text: which are recognised by their form, and what
stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.examples import examples
from tests.unit.host.history.made import minute
from tui.host.capture import past
from tui.host.capture.foreign import FILE_ENDINGS
from tui.host.capture.standins import Personal, StandIns
from tui.host.history.entry import StoredEvent
from tui.rules.kernel_messages import TOPICS
from widgets.check_names import NAMES


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("unable to connect to server at 'nas.lan:16509': refused",
         "unable to connect to server at 'host-1:16509': refused"),
        ("nas.example.org, NAS.Example.org and box.local.",
         "host-1, host-1 and host-2."),
        ("mail to anne.berg+vm@mail.example.co.uk", "mail to user-1@host-1"),
        ("ssh: anne@nas: no route", "ssh: user-1@host-1: no route"),
        ("root@nas2 and root@10.0.0.9", "root@host-1 and root@192.0.2.1"),
        ("anne@10.0.0.9", "user-1@192.0.2.1"),
        ("nbd://nas.example.org/disk, nbd://anne:pw@nas.example.org/disk",
         "nbd://host-1/disk, nbd://user-1@host-1/disk"),
        ("host=fritz.box user=müller@köln.example", "host=host-2 user=user-1@host-1"),
        ("xn--kln-sna.xn--p1ai", "host-1"),
        ("my_nas.lan 163.com deploy.example.sh", "host-1 host-2 host-3"),
        ('{"message":"failed:\\nnas.lan\\tanne@nas"}',
         '{"message":"failed:\\nhost-2\\tuser-1@host-1"}'),
    ],
)  # fmt: skip
def test_what_is_replaced(text: str, shown: str) -> None:
    assert StandIns().text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "0000:01:00.0 01:00.1 1-3.2 10de:2684",
        "driver 580.95.05, kernel 6.12.94+deb13-amd64, 6.11.4-301.fc41.x86_64, 6.8.12-4-pve",
        "nvidia vfio-pci snd_hda_intel nvidia.ko amdgpu/polaris10_mc.bin regulatory.db",
        "drivers/gpu/drm/nouveau/nvkm.c:123 libnvidia-ml.so.1 libvirtd.service win11.xml a.tar.gz",
        "user@1000.service getty@tty1.service machine-qemu.scope libvirtd-admin.socket",
        "pc-q35-9.2 qemu-system-x86_64 org.qemu.guest_agent.0 org.libvirt.unix.manage ich9-usb.0",
        "vfio-pci.ids=10de:2482 usbcore.autosuspend=-1 nvidia-drm.modeset=1 nvidia.NVreg_X=1",
        "1920x1080@60 pcie@1f000000 subvol=@home @vfio",
        "violates r465.one-vm: x; violates iommu.viable: y; guest.hostdevs-complete host.linux",
        "/etc/modprobe.d/vfio.conf and /usr/lib/systemd/system/a@b.service, e.g. i.e. 3.5 s",
        "ring comp_1.0.0 timeout, ring gfx_0.0.0, dma_map_page.cold+0x12/0x30, x.isra.0",
        "msgspec.ValidationError in 2.5 s, 0.0.pl, save.1.sh",
    ],
)
def test_what_a_bug_report_needs_stays(text: str) -> None:
    assert StandIns().text(text) == text


def test_the_kernel_s_words_stay() -> None:
    for topic in TOPICS:
        for text in (topic.text, topic.fix or "", topic.amd_fix or ""):
            assert StandIns().text(text) == text


@pytest.mark.parametrize("check", sorted(NAMES))
def test_the_names_of_our_checks_stay(check: str) -> None:
    for text in (check, f"the host is not ready ({check})", f"{check}:unknown"):
        assert StandIns().text(text) == text


def test_the_same_name_has_one_stand_in_everywhere() -> None:
    stand_ins = StandIns(Personal(["tower.example.org"], ["anne"]))
    assert stand_ins.text("anne@tower.example.org") == "user-1@host-1"
    assert stand_ins.text("Tower.example.org tower ANNE") == "host-1 host-2 user-1"


LABEL = st.from_regex(r"q[a-z0-9]{2,8}(-[a-z0-9]{1,5}z)?", fullmatch=True)
ENDING = st.sampled_from(
    ["lan", "local", "home.arpa", "example.org", "de", "co.uk", "cloud", "internal", "com"]
)
USER = st.from_regex(r"q[a-z]{3,8}([.+_-][a-z]{2,8}z)?", fullmatch=True)
BEFORE = st.sampled_from(["", "to ", "“", "'", "(", "host=", "<", "x: ", '"', "nbd://", "—"])
AFTER = st.sampled_from(["", ".", ",", ":2049", "'", ")", ">", "/a/b", "; x", '"', "…", " lost"])


@examples(200)
@given(labels=st.lists(LABEL, min_size=1, max_size=3), ending=ENDING, user=st.none() | USER,
       before=BEFORE, after=AFTER)  # fmt: skip
def test_no_foreign_name_is_told_in_an_event(
    labels: list[str], ending: str, user: str | None, before: str, after: str
) -> None:
    host = ".".join([*labels, ending])
    name = host if user is None else f"{user}@{host}"
    texts = [f"{before}{name}{after}", f"cannot reach {before}{name.upper()}{after} now"]
    events = tuple(StoredEvent(3.0, "x", text, "warn", "host", text) for text in texts)
    (entry,) = past.redacted([minute(0, events=events)], StandIns())
    for event in entry.events:
        told = f"{event.text} {event.fix}".lower()
        assert [each for each in (*labels, user) if each is not None and each in told] == []


@examples(100)
@given(user=USER, host=LABEL, before=BEFORE, after=AFTER)
def test_no_user_of_a_foreign_host_is_told(user: str, host: str, before: str, after: str) -> None:
    told = StandIns().text(f"{before}{user}@{host}{after}")
    assert (user in told, host in told) == (False, False)


@examples(200)
@given(
    stem=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,12}(\.[0-9]{1,3})?", fullmatch=True),
    ending=st.sampled_from(sorted(FILE_ENDINGS)),
    before=st.sampled_from(["", "/lib/firmware/", "amdgpu/", "'", "file "]),
)
def test_a_file_keeps_its_name(stem: str, ending: str, before: str) -> None:
    text = f"{before}{stem}.{ending}: not found"
    assume(StandIns().name(text) == text)
    assert StandIns().text(text) == text


@examples(200)
@given(
    numbers=st.lists(st.integers(0, 9999), min_size=2, max_size=3),
    local=st.sampled_from(["", "-rc1", "-amd64", "+deb13-amd64", "-1.fc41.x86_64", ".el9_4"]),
)
def test_a_version_stays(numbers: list[int], local: str) -> None:
    text = f"driver {'.'.join(f'{n:02}' for n in numbers)}{local} is older"
    assert StandIns().text(text) == text


@examples(100)
@given(text=st.text(st.sampled_from('ab.@-_/:\\"n1 é'), max_size=30))
def test_json_stays_json(text: str) -> None:
    written = json.dumps({"message": text}, ensure_ascii=False)
    assert isinstance(json.loads(StandIns().text(written)), dict)
