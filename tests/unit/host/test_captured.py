"""Captured hosts: good ones, and whatever else may be given to --root."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hosts_layout import hosts, lay_out
from tests.touched import Fifo, Terminal, Trap
from tui.host import HostError, NothingToRead
from tui.host.captured import DOMAINS_LIMIT, CapturedGuests, captured_host
from tui.host.confined import Confined
from tui.host.libvirt.domain_files import FILE_LIMIT
from tui.model import Domain, DomainSetup, HostDev, HostFacts, MemoryPart, Pinning

UUID = "c7a5fdbd-edaf-9455-926a-d65c16db1809"


def xml(name: str = "win10", attributes: str = "", devices: str = "") -> str:
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n<domain type='kvm'{attributes}>"
        f"<name>{name}</name><uuid>{UUID}</uuid><memory unit='GiB'>8</memory>"
        f"<vcpu>6</vcpu><devices>{devices}</devices></domain>\n"
    )


HOSTDEV = (
    "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
    "<address domain='0x0000' bus='0x08' slot='0x00' function='0x0'/></source></hostdev>"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return lay_out(hosts()["13-x399-gtx1080-gtx1060"], tmp_path / "tower")


@pytest.fixture
def domains(root: Path) -> Path:
    (root / "domains").mkdir()
    return root / "domains"


def read(directory: Path) -> tuple[Domain, ...]:
    return CapturedGuests(Confined(str(directory))).read().domains


def test_a_captured_host(root: Path, domains: Path) -> None:
    (domains / "win10.xml").write_text(xml(attributes=" id='3'", devices=HOSTDEV))
    host = captured_host(str(root))
    assert (host.banner, host.readonly) == ("Captured host: tower", True)
    assert host.facts.read() == HostFacts("captured", "6.12.0", captured=True)
    inventory = host.pci.read()
    assert (len(inventory.functions), len(inventory.groups), inventory.iommu_kind) == (
        67,
        40,
        "amd",
    )
    assert [card.address for card in host.vitals.read().cards] == [
        gpu.address for gpu in inventory.gpus
    ]
    with pytest.raises(HostError, match="captured host has no live readings"):
        host.nvml.read()
    guests = host.guests.read()
    assert (guests.uri, guests.version, guests.readonly) == (str(domains), None, True)
    assert guests.domains == (
        Domain(
            "win10", UUID, "running", hostdevs=(HostDev("0000:08:00.0", managed=True),), vcpus=6,
            memory_mib=8192.0, setup=DomainSetup((MemoryPart(8192.0),)),
            pinning=Pinning((None,) * 6),
        ),
    )  # fmt: skip
    host.close()
    host.close()


def test_its_place_may_be_relative(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    host = captured_host(".")
    monkeypatch.chdir("/")
    assert host.banner == "Captured host: tower"
    assert len(host.pci.read().functions) == 67


def test_no_event_of_this_machine_reaches_it(root: Path) -> None:
    host = captured_host(str(root))
    for _, source in host.sources():
        source.watch(lambda: pytest.fail("woken"))
    host.close()


# --- not a captured host ------------------------------------------------------


def _missing(place: Path) -> None:
    place.rmdir()


def _file(place: Path) -> None:
    place.rmdir()
    place.write_text("")


def _empty(place: Path) -> None:
    (place / "sys/bus/pci").mkdir(parents=True)


def _loop(place: Path) -> None:
    place.rmdir()
    place.symlink_to(place.name)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_missing, "there is no"),
        (_file, "it is not a tar archive"),
        (_empty, "has no sys/bus/pci/devices"),
        (_loop, r"there is no|cannot be read \("),
    ],
)
def test_what_is_no_captured_host(tmp_path: Path, make: Any, says: str) -> None:
    place = tmp_path / "host"
    place.mkdir()
    make(place)
    with pytest.raises(HostError, match=says) as caught:
        captured_host(str(place))
    assert "--root expects a captured host: a directory that contains sys/bus/pci/devices" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)


def _as_texts(devices: Path) -> None:
    for link in list(devices.iterdir()):
        target = str(link.readlink())
        link.unlink()
        link.write_text(target)


def _renamed(old: str, new: str) -> Callable[[Path], None]:
    def make(devices: Path) -> None:
        for link in list(devices.iterdir()):
            link.rename(devices / link.name.replace(old, new))

    return make


def _without_links(devices: Path) -> None:
    for link in list(devices.iterdir()):
        link.unlink()


@pytest.mark.parametrize(
    ("lose", "says"),
    [
        (_as_texts, r"devices/0000:00:0.*\.0 is a file in .*, not a folder"),
        (_renamed(":", "_"), r"no PCI address in .*devices/0000_00_01\.0"),
        (_renamed(":", "\uf03a"), "no PCI address in"),
        (_renamed(":", ""), "no PCI address in"),
        (_without_links, "no device in sys/bus/pci/devices"),
    ],
)
def test_an_archive_that_lost_its_links_or_names(
    root: Path, lose: Callable[[Path], None], says: str
) -> None:
    lose(root / "sys/bus/pci/devices")
    with pytest.raises(HostError, match=says) as caught:
        captured_host(str(root))
    assert str(caught.value).isprintable()
    assert "unpack it on Linux" in str(caught.value)


def test_files_of_other_systems_beside_the_devices(root: Path) -> None:
    (root / "sys/bus/pci/devices/.DS_Store").touch()
    assert len(captured_host(str(root)).pci.read().functions) == 67


def test_a_place_of_any_name(tmp_path: Path) -> None:
    for name in ("x" * 10_000, "esc\x1b[31m\nape", "\udcff"):
        with pytest.raises(HostError, match=r"there is no|cannot be read") as caught:
            captured_host(str(tmp_path / name))
        assert str(caught.value).isprintable()


def test_no_place_is_opened_to_see_what_it_is(tmp_path: Path) -> None:
    traps: list[Trap] = [Fifo(tmp_path / "fifo"), Terminal()]
    for trap in traps:
        with pytest.raises(HostError, match="is not a directory"):
            captured_host(str(trap.place))
        assert not trap.touched()
        trap.close()


@pytest.mark.parametrize("outside", ["/etc", "../../../../../../../../../../etc", "gone"])
def test_a_device_that_was_not_captured_is_missed(root: Path, outside: str) -> None:
    (root / "sys/bus/pci/devices/0000:ff:00.0").symlink_to(outside)
    with pytest.raises(HostError, match=r"devices/0000:ff:00\.0 is a dangling link in"):
        captured_host(str(root))


def test_an_absolute_link_means_what_was_captured(root: Path) -> None:
    link = root / "sys/bus/pci/devices/0000:08:00.0"
    target = f"/{link.resolve().relative_to(root)}"
    before = captured_host(str(root)).pci.read()
    link.unlink()
    link.symlink_to(target)
    assert captured_host(str(root)).pci.read() == before


def test_links_of_which_only_the_name_counts_need_no_target(root: Path) -> None:
    before = captured_host(str(root)).pci.read()
    for folder in ("sys/bus/pci/drivers", "sys/kernel/iommu_groups"):
        shutil.rmtree(root / folder)
    found = captured_host(str(root)).pci.read()
    assert any(function.driver for function in found.functions)
    assert found == before


# --- nothing in it is opened by its path --------------------------------------

_opened: list[str] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("open", "os.listdir", "os.scandir", "os.chdir") and _opened is not None:
        _opened.append(f"{event} {arguments[0]}")


sys.addaudithook(_hear)


def test_all_of_it_is_read_beneath_one_descriptor(root: Path, domains: Path) -> None:
    global _opened  # noqa: PLW0603 - an audit hook cannot be taken away, only be told to rest
    (domains / "win10.xml").write_text(xml())
    _opened = []
    try:
        host = captured_host(str(root))
        for _, source in host.sources():
            with contextlib.suppress(HostError):
                source.read()
        again = host.reopen
        assert again is not None
        again().pci.read()
        opened = [each for each in _opened if str(root) in each]
    finally:
        _opened = None
    assert opened == [f"open {root}"]


def test_what_is_replaced_meanwhile_is_not_read(root: Path, tmp_path: Path) -> None:
    host = captured_host(str(root))
    before = host.pci.read()
    root.rename(tmp_path / "moved")
    root.symlink_to("/")
    again = host.reopen
    assert again is not None
    assert host.pci.read() == again().pci.read() == before


# --- domains ------------------------------------------------------------------


def test_domains_are_sorted_and_shut_off(domains: Path) -> None:
    (domains / "a.xml").write_text(xml("zeta"))
    (domains / "b.xml").write_text(xml("alpha"), encoding="utf-8-sig")
    (domains / "notes.txt").write_text("not a domain")
    assert [(d.name, d.state, d.problem) for d in read(domains)] == [
        ("alpha", "shut off", None),
        ("zeta", "shut off", None),
    ]


def _big(file: Path) -> None:
    with file.open("wb") as out:
        out.truncate(FILE_LIMIT + 1)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda f: f.write_text(""), "not well-formed"),
        (lambda f: f.write_text("<domain>"), "not well-formed"),
        (lambda f: f.write_text("<network/>"), "not a <domain>"),
        (lambda f: f.write_bytes(b"<domain>\xfc</domain>"), "not UTF-8"),
        (lambda f: f.write_text(xml() + " " * (1 << 20)), "longer than 1 MiB"),
        (lambda f: f.write_text("<!DOCTYPE x [<!ENTITY a 'b'>]>" + xml()), "DTD"),
        (_big, "cannot be read"),
        (lambda f: f.mkdir(), "cannot be read"),
        (os.mkfifo, "cannot be read"),
        (lambda f: f.symlink_to("/dev/zero"), "cannot be read"),
    ],
)
def test_a_file_that_is_no_domain(domains: Path, make: Any, problem: str) -> None:
    make(domains / "win\x1b10.xml")
    (domain,) = read(domains)
    assert (domain.name, domain.state, domain.hostdevs) == (r"win\x1b10", "unknown", ())
    assert domain.problem is not None
    assert problem in domain.problem
    assert not domain.active


def test_a_captured_host_without_domains(root: Path) -> None:
    with pytest.raises(NothingToRead, match="domains of the captured host are not known"):
        captured_host(str(root)).guests.read()


def test_a_host_of_too_many_domains(domains: Path) -> None:
    for n in range(DOMAINS_LIMIT + 1):
        (domains / f"{n}.xml").touch()
    with pytest.raises(HostError, match="has 1001 domains"):
        read(domains)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_any_file_is_a_domain_or_a_problem(domains: Path, data: bytes) -> None:
    (domains / "any.xml").write_bytes(data)
    (domain,) = read(domains)
    assert (domain.state, domain.name) == ("unknown", "any")
    assert domain.problem
