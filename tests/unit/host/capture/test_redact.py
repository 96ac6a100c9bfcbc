"""What a redacted capture tells, and what it does not."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.examples import examples
from tests.hosts_layout import hosts, lay_out
from tests.thorough import every_third
from tests.unit.captured import domain, tower
from tests.unit.host.capture import towers
from tests.unit.host.journal.test_file import ENTRY
from tui.cli.main import main
from tui.host import HostError
from tui.host.capture import bundle
from tui.host.capture.archive import FOLDER, unpack
from tui.host.capture.bundle import capture
from tui.host.capture.collect import HostFiles, record
from tui.host.capture.memory import MemoryTree, Nodes
from tui.host.capture.persons import persons
from tui.host.capture.redact import has_rule, redacted
from tui.host.capture.standins import Personal, StandIns
from tui.host.confined import Confined
from tui.host.journal.file import Journal
from tui.host.journal.format import parse
from tui.host.tree import PlainTree

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


@pytest.mark.parametrize("name", every_third(sorted(towers.ALL)))
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


@pytest.mark.parametrize("name", every_third(hosts()))
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
    assert told.unread["etc/new"] == "it may contain something private"


# --- the same thing gets the same stand-in --------------------------------------------


@pytest.mark.parametrize("maker", ["vendor_id\t: AuthenticAMD", "CPU implementer\t: 0xc0"])
def test_the_processors_maker_is_kept(maker: str) -> None:
    host = host_with({"proc/cpuinfo": f"{maker}\nBogoMIPS\t: 50.00\n{maker}\n"})
    found = plain(capture(host, "").archive)
    assert found.count(maker.lower().encode()) == 1
    assert b"bogomips" not in found


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
    ("proc/cpuinfo", "CPU implementer\t: 0x41\nCPU part\t: {}\nSerial\t: {}\n"),
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


@examples(50)
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


def test_a_file_that_cannot_be_redacted_is_left_out() -> None:
    deep = "<domain><name>annegret</name>" + "<a>" * 20_000 + "</a>" * 20_000 + "</domain>"
    for redact in (True, False):
        made = capture(host_with({"domains/deep.xml": deep}), "", redact=redact)
        assert b"annegret" not in plain(made.archive)
    told = redacted(record(host_with({"domains/deep.xml": deep})), StandIns())
    assert told.unread["domains/deep.xml"] == "it cannot be redacted: RecursionError"


def test_each_file_that_the_attacks_know_has_a_rule() -> None:
    from tests.attack.test_captured_host import ATTRIBUTES, FILES

    files = [name for name in FILES if "pci.ids" not in name]
    attributes = [f"sys/devices/pci0000:00/0000:01:00.0/{name}" for name in ATTRIBUTES]
    assert [name for name in (*files, *attributes) if not has_rule(name)] == []


# --- whose host it is ---------------------------------------------------------------


def test_names_come_from_accounts_homes_and_whoever_calls() -> None:
    passwd = (
        f"root:x:0:0:root:/root:/bin/sh\nlp:x:7:7:lp:/var:/bin/sh\n"
        f"anna:x:1000:1000:Anna Berg,,,:{towers.HOME}/anna2:/bin/sh\nodd\n"
        f"nobody:x:65534:65534:n:/:/bin/sh\n"
    )
    mounts = f"/dev/sda1 {towers.HOME}/berta ext4 rw 0 0\n"
    host = host_with({"etc/passwd": passwd, "proc/mounts": mounts, "etc/hostname": "t1.lan\n"})
    nodes = {**record(host).nodes, "etc/hostname": b"t1.lan\n", "proc/mounts": mounts.encode()}
    found = persons(host, HostFiles(nodes), {"SUDO_USER": "carla"}).names
    assert set(found) == {"anna", "Anna Berg", "anna2", "berta", "t1.lan", "t1", "captured"}
    live = PlainTree("/nonexistent")
    assert set(persons(live, HostFiles({}), {"SUDO_USER": "carla", "USER": "root"}).names) == {
        "carla"
    }


def test_the_journal_of_this_boot_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, owner=os.getuid())
    boot = journal.boot_id
    journal.write(replace(ENTRY, boot_id=boot, message=f"{towers.IPV4} {towers.USER}"))
    monkeypatch.setattr(bundle, "Journal", lambda: journal)
    monkeypatch.setattr(bundle, "_libvirt", _no_libvirt)
    monkeypatch.setenv("USER", towers.USER)
    made = capture(PlainTree(tower(tmp_path / "host")), "qemu+ssh://anna@nas/system")
    nodes = unpack(made.archive)
    kept = nodes[f"{FOLDER}/{bundle.JOURNAL}"]
    assert isinstance(kept, bytes)
    assert parse(kept).message == "192.0.2.1 user-1"
    assert boot.encode() not in kept
    assert made.unread["domains"] == "libvirt, at a non-default URI, does not answer"


def _no_libvirt(uri: str) -> NoReturn:
    raise HostError(f"libvirt: {uri} does not answer")
