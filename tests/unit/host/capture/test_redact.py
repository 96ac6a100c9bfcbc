"""What a redacted capture tells, and what it does not."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hosts_layout import hosts, lay_out
from tests.unit.captured import domain, tower
from tests.unit.host.capture import towers
from tui.cli.main import main
from tui.host.capture.bundle import capture
from tui.host.capture.collect import record
from tui.host.capture.memory import MemoryTree, Nodes
from tui.host.capture.persons import persons
from tui.host.capture.redact import has_rule, redacted
from tui.host.capture.standins import Personal, StandIns
from tui.host.confined import Confined

ABOUT = (
    towers.USER, towers.HOST, towers.MAC, towers.UUID, towers.MACHINE_ID, towers.DISK_UUID,
    towers.IPV4, towers.IPV6, towers.SERIAL, towers.PASSWORD, towers.TOKEN,
)  # fmt: skip
SECRETS = (towers.PASSWORD, towers.TOKEN)


def host_with(files: Mapping[str, str]) -> MemoryTree:
    """A small host with more files."""
    return MemoryTree({**_tower(), **{p: t.encode() for p, t in files.items()}}, "host")


@cache
def _tower() -> Nodes:
    with TemporaryDirectory() as place:
        return record(Confined(str(tower(Path(place) / "t")))).nodes


def plain(archive: bytes) -> bytes:
    """All names and contents in an archive, in lower case."""
    return gzip.decompress(archive).lower()


def spelled(thing: str) -> set[bytes]:
    """A thing in the spellings that files and names use."""
    forms = {thing, thing.replace(":", "-"), thing.replace(":", "").replace("-", ""), quote(thing)}
    return {form.lower().encode() for form in (*forms, quote(thing, safe=""))}


Verdicts = Callable[..., list[tuple[str, str | None, str]]]


@pytest.fixture
def verdicts(capfd: pytest.CaptureFixture[str]) -> Verdicts:
    def run(root: Path, *command: str) -> list[tuple[str, str | None, str]]:
        capfd.readouterr()
        main(["--root", str(root), *command, "--json"])
        found = json.loads(capfd.readouterr().out)
        return [(c["id"], c["subject"], c["verdict"]) for c in found["checks"]]

    return run


@pytest.mark.parametrize("name", sorted(towers.ALL))
def test_a_redacted_capture_has_the_verdicts_of_the_host(
    verdicts: Verdicts, tmp_path: Path, name: str
) -> None:
    root = towers.ALL[name](tmp_path / "host")
    archive = tmp_path / "host.tar.gz"
    archive.write_bytes(capture(Confined(str(root)), "").archive)
    for command in (("doctor",), ("status",), ("plan", "bind"), ("plan", "unbind")):
        assert _without_names(verdicts(archive, *command)) == _without_names(
            verdicts(root, *command)
        )


def _without_names(found: list[tuple[str, str | None, str]]) -> list[tuple[str, str | None, str]]:
    """Domains whose names were replaced keep their verdicts."""
    known = re.compile(rf"{towers.USER}s box|guest-[0-9]")
    return [(check, known.sub("a guest", subject or ""), v) for check, subject, v in found]


@pytest.mark.parametrize("name", sorted(hosts()))
def test_redaction_changes_no_verdict_of_a_real_host(
    verdicts: Verdicts, tmp_path: Path, name: str
) -> None:
    root = lay_out(hosts()[name], tmp_path / "host")
    archive = tmp_path / "host.tar.gz"
    archive.write_bytes(capture(Confined(str(root)), "").archive)
    assert verdicts(archive, "status") == verdicts(root, "status")


@pytest.mark.parametrize("name", ["full", "systemd-boot"])
def test_nothing_that_was_redacted_is_in_the_archive(tmp_path: Path, name: str) -> None:
    made = capture(Confined(str(towers.ALL[name](tmp_path / "host"))), "")
    everything = plain(made.archive)
    told = [thing for thing in ABOUT for form in spelled(thing) if form in everything]
    assert told == []


def test_passwords_are_in_no_capture(tmp_path: Path) -> None:
    made = capture(Confined(str(towers.full(tmp_path / "host"))), "", redact=False)
    everything = plain(made.archive)
    assert [secret for secret in SECRETS if secret.lower().encode() in everything] == []
    for kept in (towers.USER, towers.HOST, towers.MAC, towers.DISK_UUID, towers.SERIAL):
        assert kept.lower().encode() in everything


def test_each_file_that_is_read_has_a_rule(tmp_path: Path) -> None:
    for name, make in towers.ALL.items():
        found = record(Confined(str(make(tmp_path / name.replace(" ", "")))))
        files = {
            found.asked.get(p, p) for p, node in found.nodes.items() if isinstance(node, bytes)
        }
        assert {path for path in files if not has_rule(path) and found.nodes.get(path)} == set()


def test_a_file_without_a_rule_is_left_out_and_told(tmp_path: Path) -> None:
    found = record(Confined(str(tower(tmp_path / "host"))))
    nodes = {**found.nodes, "etc/new": b"annegret"}
    told = redacted(type(found)(nodes), StandIns())
    assert "etc/new" not in told.nodes
    assert told.unread["etc/new"] == "not known what it may tell"


# --- the same thing gets the same stand-in --------------------------------------------


def test_names_are_the_same_everywhere(tmp_path: Path) -> None:
    found = record(Confined(str(towers.full(tmp_path / "host"))))
    personal = persons(Confined(str(tmp_path / "host")), found, {})
    assert {towers.USER, towers.HOST} <= set(personal.names)
    told = redacted(found, StandIns(personal)).nodes
    mounts, swaps = told["proc/1/mountinfo"], told["proc/swaps"]
    volume = told["sys/devices/virtual/block/dm-0/dm/name"]
    assert isinstance(mounts, bytes) and isinstance(volume, bytes) and isinstance(swaps, bytes)
    assert b"/dev/mapper/" + volume.strip() in mounts
    assert f"{towers.HOME}/user-1/folder-1".encode() in mounts
    assert swaps.splitlines()[1].startswith(b"/dev/nvme0n1p2\tpartition")
    xml = told["domains/win11.xml"]
    assert isinstance(xml, bytes)
    assert b"<name>win11</name>" in xml


@pytest.mark.parametrize(
    ("hosts_", "users", "text", "shown"),
    [
        (["tower"], [], "on Tower-2", "on host-1-2"),
        (["tower.lan"], [], "tower.lan tower", "host-1 host-2"),
        ([], ["anna"], "hannah ANNA", "huser-1h user-1"),
        ([], ["al"], "virtual al", "virtual user-1"),
        ([], ["kern"], "kernel kern", "kernel user-1"),
        (["debian"], [], "debian", "debian"),
        ([], ["Ann Lee"], "Ann%20Lee, ann lee", "user-1, user-1"),
        ([], [], "52-54-AA-bb-cc-dd 5254aabbccdd", "52:54:00:00:00:01 5254aabbccdd"),
        ([], [], "52%3a54%3AAA%3abb", "52%3a54%3AAA%3abb"),
        ([], [], "0000:01:00.0 6.12.0", "0000:01:00.0 6.12.0"),
    ],
)  # fmt: skip
def test_stand_ins(hosts_: list[str], users: list[str], text: str, shown: str) -> None:
    from tui.host.capture.known import ALL

    assert StandIns(Personal(hosts_, users, ALL)).text(text) == shown


def test_addresses_are_those_for_documentation() -> None:
    made = StandIns()
    assert made.text("10.0.0.9 and fe80::1%x") == "192.0.2.1 and fe80::1%x".replace(
        "fe80::1", "2001:db8::1"
    )
    assert made.text("2a02::5") == "2001:db8::2"
    assert made.uuid(towers.UUID) == "00000000-0000-4000-8000-000000000001"
    assert made.uuid(towers.UUID.replace("-", "").upper()) == "00000000000040008000000000000001"


# --- anything at all ---------------------------------------------------------------

SECRET_TEXT = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789", min_size=6, max_size=16).map(
    lambda text: f"Zq{text}7j"
)
PLACES = (
    ("proc/cmdline", "quiet {} root=/dev/sda1\n"),
    ("proc/cmdline", "foo={} iommu=pt\n"),
    ("proc/cmdline", "console=ttyS0 rd.luks.name={}\n"),
    ("proc/cmdline", "{}=1\n"),
    ("etc/default/grub", "GRUB_CMDLINE_LINUX='quiet a={}'\n# {}\n{}=x\n"),
    ("etc/default/grub", 'X={}\nGRUB_CMDLINE_LINUX="$X {}"\n'),
    ("etc/modprobe.d/a.conf", "options a b={}\ninstall a echo {}\n# {}\nblacklist x {}\n"),
    ("boot/loader/entries/a.conf", "title {}\noptions quiet k={}\nlinux /{}\n"),
    ("proc/swaps", "Filename\n/{}/x partition 1 1 1\n/{} file 1 1 1\n"),
    ("proc/mounts", "/dev/{} /srv/{} ext4 {} 0 0\n{} / zfs x 0 0\n"),
    ("proc/1/mountinfo", "1 1 8:1 /{} /mnt/{} {} - ext4 /dev/{} {}\n"),
    ("etc/os-release", "ID=arch\nNAME={}\nPRETTY_NAME={}\n"),
    ("proc/cpuinfo", "vendor_id\t: GenuineIntel\nserial\t: {}\n"),
    ("proc/driver/nvidia/version", "NVRM version: NVIDIA x86_64  535.1  Release ({}@{})\n"),
    ("proc/bus/input/devices", 'P: Phys=isa0060/serio0\nN: Name="{}"\nH: Handlers=kbd\nU: {}\n'),
    ("proc/sys/kernel/hostname", "{}\n"),
    ("etc/hostname", "{}.{}\n"),
    ("domains/{}.xml", "<domain><name>{}"),
)


@settings(deadline=None)
@given(place=st.sampled_from(PLACES), secret=SECRET_TEXT)
def test_no_text_of_a_file_is_told(place: tuple[str, str], secret: str) -> None:
    path, template = place
    text = template.replace("{}", secret)
    host = host_with({path.replace("{}", "x"): text})
    assert secret.lower().encode() not in plain(capture(host, "").archive)


XML_PLACES = (
    "<description>{}</description>", "<title>{}</title>", "<metadata><a>{}</a></metadata>",
    "<x:y xmlns:x='urn:{}' z='{}'>{}</x:y>", "<!-- {} -->", "<os><cmdline>{}</cmdline></os>",
    "<sysinfo type='fwcfg'><entry name='{}'>{}</entry></sysinfo>",
    "<sysinfo type='smbios'><oemStrings><entry>{}</entry></oemStrings></sysinfo>",
    "<devices><graphics type='vnc' passwd='{}' passwdValidTo='{}'/></devices>",
    "<devices><disk><source file='/{}' dev='{}'/><serial>{}</serial></disk></devices>",
    "<devices><hostdev><source><adapter name='{}'/></source></hostdev></devices>",
    "<devices><interface type='network'><source network='{}' portid='{}'/></interface></devices>",
    "<devices><channel><target name='{}'/></channel></devices>",
    "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    "<qemu:arg value='-object'/><qemu:arg value='secret,data={}'/><qemu:env name='{}' value='{}'/>"
    "<qemu:arg value='-device'/><qemu:arg value='vfio-pci,host=0a:00.0,{}={}'/>"
    "</qemu:commandline>",
    "<qemu:override xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
    "<qemu:device alias='{}'>"
    "<qemu:frontend><qemu:property name='x' type='string' value='{}'/></qemu:frontend>"
    "</qemu:device></qemu:override>",
)  # fmt: skip


@settings(deadline=None)
@given(inner=st.sampled_from(XML_PLACES), secret=SECRET_TEXT)
def test_no_text_of_a_domain_is_told(inner: str, secret: str) -> None:
    inner = inner.replace("{}", secret)
    xml = domain().replace("</domain>", f"{inner}</domain>")
    everything = plain(capture(host_with({"domains/win.xml": xml}), "").archive)
    assert secret.lower().encode() not in everything


@settings(max_examples=50, deadline=None)
@given(
    user=st.from_regex(r"[a-z]{3}[0-9][a-z]{2,6}q", fullmatch=True),
    host=st.from_regex(r"[a-z]{3}[0-9][a-z]{2,6}x", fullmatch=True),
    mac=st.from_regex(r"5[0-9a-f](:[1-9a-f][0-9a-f]){5}", fullmatch=True),
    uuid=st.uuids().map(str),
)
def test_whose_host_it_is_is_not_told(user: str, host: str, mac: str, uuid: str) -> None:
    xml = domain(f"{user.upper()} at {host}", uuid, "").replace(
        "</devices>", f"<interface><mac address='{mac.upper()}'/></interface></devices>"
    )
    files = {
        "proc/sys/kernel/hostname": f"{host}\n",
        "etc/passwd": f"{user}:x:1000:1000::{towers.HOME}/{user}:/bin/sh\n",
        f"domains/{user}.xml": xml,
        f"lib/modules/6.12.0-{user}/modules.dep": f"kernel/{user}/{host}.ko:\n",
        "proc/sys/kernel/osrelease": f"6.12.0-{user}\n",
        f"etc/modprobe.d/{user}-{mac.replace(':', '-')}.conf": "blacklist nouveau\n",
        f"boot/loader/entries/{uuid.replace('-', '')}.conf": "options quiet\n",
        "boot/loader/loader.conf": "",
        f"sys/fs/btrfs/{uuid}/label": "",
    }
    everything = plain(capture(host_with(files), "").archive)
    for thing in (user, host, mac, uuid):
        assert [form for form in spelled(thing) if form in everything] == []


def test_a_value_in_base64_goes_with_its_value() -> None:
    hidden = base64.b64encode(b"secret of annegret").decode()
    host = host_with({"proc/cmdline": f"quiet key={hidden}\n"})
    assert hidden.lower().encode() not in plain(capture(host, "").archive)
