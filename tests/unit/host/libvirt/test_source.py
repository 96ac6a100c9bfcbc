"""The guests of libvirt's test driver, which simulates a host in this process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from tests.libvirt.watching import domain, is_in, state, watched
from tui.host import HostError
from tui.host.journal.file import Journal
from tui.host.libvirt import domain_xml
from tui.host.libvirt.connection import Connection, without_prompts
from tui.host.libvirt.control import LibvirtControl
from tui.host.libvirt.domain_edit import replace_hostdevs
from tui.host.libvirt.domain_xml import Definition, definition
from tui.host.libvirt.source import GuestsSource
from tui.model import Domain, DomainSetup, Guests, HostDev, MemoryPart, Pinning

URI = "test:///default"


def xml(name: str, inner: str = "") -> str:
    return f"""\
<domain type='test'>
  <name>{name}</name>
  <memory unit='GiB'>2</memory>
  <vcpu>3</vcpu>
  <os><type>hvm</type></os>
  {inner}
</domain>"""


HOSTDEVS = """
<devices>
  <hostdev mode='subsystem' type='pci' managed='yes'>
    <source><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>
  </hostdev>
  <hostdev mode='subsystem' type='pci' managed='no'>
    <source><address domain='0x0000' bus='0x01' slot='0x00' function='0x1'/></source>
  </hostdev>
</devices>"""


@pytest.fixture
def operator() -> Iterator[libvirt.virConnect]:
    """Another client of the same libvirt; what it leaves behind is removed."""
    connection = libvirt.open(URI)
    before = {made.UUIDString() for made in connection.listAllDomains()}
    yield connection
    for left in connection.listAllDomains():
        if left.UUIDString() not in before:
            with contextlib.suppress(libvirt.libvirtError):
                left.destroy()
            with contextlib.suppress(libvirt.libvirtError):
                left.undefine()
    connection.close()


@pytest.fixture
def source() -> Iterator[GuestsSource]:
    source = GuestsSource(URI)
    yield source
    source.close()


def read(source: GuestsSource, name: str) -> Domain:
    found = domain(source.read(), name)
    assert found is not None
    return found


def test_the_drivers_own_domain(source: GuestsSource) -> None:
    guests = source.read()
    assert guests.uri == URI
    assert guests.readonly is False
    assert guests.version is not None
    assert [int(part) for part in guests.version.split(".")] >= [1, 0, 0]
    own = domain(guests, "test")
    assert own is not None
    assert (own.state, own.vcpus, own.memory_mib, own.persistent) == ("running", 2, 2048, True)


def test_a_domain_that_is_off_is_as_it_is_defined(
    source: GuestsSource, operator: libvirt.virConnect
) -> None:
    uuid = operator.defineXML(xml("vm", HOSTDEVS)).UUIDString()
    assert read(source, "vm") == Domain(
        name="vm",
        uuid=uuid,
        state="shut off",
        hostdevs=(HostDev("0000:01:00.0", True), HostDev("0000:01:00.1", False)),
        vcpus=3,
        memory_mib=2048,
        setup=DomainSetup((MemoryPart(2048.0),), current_mib=2048.0),
        pinning=Pinning((None,) * 3),
        uri=source.read().uri,
    )


def test_a_definition_that_has_not_changed_is_not_parsed_again(
    source: GuestsSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []

    def spy(xml: str) -> Definition:
        parsed.append(xml)
        return definition(xml)

    monkeypatch.setattr(domain_xml, "definition", spy)
    for _ in range(3):  # each reads the XML of a domain again
        source.read()
    assert len(parsed) == 1


def test_domains_are_ordered_by_name(source: GuestsSource, operator: libvirt.virConnect) -> None:
    for name in ("zeta", "alpha", "mid"):
        operator.defineXML(xml(name))
    assert [d.name for d in source.read().domains] == ["alpha", "mid", "test", "zeta"]


def test_every_step_of_a_life(source: GuestsSource, operator: libvirt.virConnect) -> None:
    vm = operator.defineXML(xml("vm"))
    for act, expected in (
        (vm.create, "running"),
        (vm.suspend, "paused"),
        (vm.resume, "running"),
        (vm.shutdown, "shut off"),
        (vm.create, "running"),
        (vm.destroy, "shut off"),
    ):
        act()
        assert read(source, "vm").state == expected
    vm.undefine()
    assert domain(source.read(), "vm") is None


def test_a_transient_domain(source: GuestsSource, operator: libvirt.virConnect) -> None:
    vm = operator.createXML(xml("passing", HOSTDEVS))
    passing = read(source, "passing")
    assert (passing.state, passing.persistent) == ("running", False)
    assert passing.addresses == ("0000:01:00.0", "0000:01:00.1")
    vm.destroy()
    assert domain(source.read(), "passing") is None


def test_a_definition_that_changes(operator: libvirt.virConnect) -> None:
    def has_hostdevs(guests: Guests) -> bool:
        return any(d.addresses == ("0000:01:00.0", "0000:01:00.1") for d in guests.domains)

    vm = operator.defineXML(xml("vm"))
    uuid = f"<uuid>{vm.UUIDString()}</uuid>"
    with watched(URI) as watch:
        watch.until(lambda guests: state(guests, "vm") is not None and not has_hostdevs(guests))
        operator.defineXML(xml("vm", uuid + HOSTDEVS))
        watch.until(has_hostdevs)


def test_a_domain_that_is_started_again_is_another_run(
    source: GuestsSource, operator: libvirt.virConnect
) -> None:
    vm = operator.defineXML(xml("vm"))
    vm.create()
    read(source, "vm")
    vm.destroy()
    vm.create()
    assert read(source, "vm").cpu_pct is None


def test_an_event_brings_a_reading_at_once(operator: libvirt.virConnect) -> None:
    vm = operator.defineXML(xml("vm"))
    delays = []
    with watched(URI) as watch:  # no interval: only events cause readings
        watch.until(is_in("vm", "shut off"))
        for _ in range(5):
            for act, expected in ((vm.create, "running"), (vm.destroy, "shut off")):
                began = time.monotonic()
                act()
                _, at = watch.until(is_in("vm", expected))
                delays.append(at - began)
    print("seconds from call to reading:", [round(delay, 4) for delay in delays])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[bold red]vm", "[bold red]vm"),
        ("a\x9b31mred\x85 b", r"a\x9b31mred\x85 b"),
        ("a\u202eb\u200bc", r"a\u202eb\u200bc"),
        ("gaming ", r"gaming\x20"),
    ],
)
def test_names_are_made_safe_to_draw(
    source: GuestsSource, operator: libvirt.virConnect, name: str, shown: str
) -> None:
    operator.defineXML(xml(name))
    found = read(source, shown)
    assert (found.state, found.raw_name) == ("shut off", name)


def test_a_name_that_is_cut_has_its_uuid_behind_it(
    source: GuestsSource, operator: libvirt.virConnect
) -> None:
    uuids = {operator.defineXML(xml("x" * 200 + end)).UUIDString() for end in "ab"}
    shown = {d.name for d in source.read().domains if d.name.startswith("xx")}
    assert shown == {f"{'x' * 120}… {uuid}" for uuid in uuids}


def test_a_domain_that_is_renamed(source: GuestsSource, operator: libvirt.virConnect) -> None:
    vm = operator.defineXML(xml("vm"))
    operator.defineXML(xml("other"))
    assert read(source, "vm").raw_name == "vm"
    try:
        vm.rename("called otherwise")
    except libvirt.libvirtError as error:
        pytest.skip(f"this driver renames nothing: {error}")
    assert read(source, "called otherwise").uuid == vm.UUIDString()


def test_a_name_of_nothing_that_can_be_drawn(
    source: GuestsSource, operator: libvirt.virConnect
) -> None:
    operator.defineXML(xml("\u200b\u200d"))
    assert read(source, r"\u200b\u200d").state == "shut off"


def test_a_definition_of_ten_megabytes_hides_no_other(
    source: GuestsSource, operator: libvirt.virConnect
) -> None:
    operator.defineXML(xml("huge", f"<description>{'x' * 10_000_000}</description>{HOSTDEVS}"))
    operator.defineXML(xml("vm", HOSTDEVS))
    huge = read(source, "huge")
    assert huge.problem == "its definition is longer than 1 MiB"
    assert huge.hostdevs == ()
    assert read(source, "vm").addresses == ("0000:01:00.0", "0000:01:00.1")


def test_a_connection_for_reading_only(operator: libvirt.virConnect) -> None:
    operator.createXML(xml("vm", HOSTDEVS))
    source = GuestsSource(URI, readonly=True)
    guests = source.read()
    source.close()
    assert guests.readonly is True
    assert state(guests, "vm") == "running"


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("garbage", "does not understand the URI garbage"),
        ("http://[", "does not understand the URI http://["),
        ("qemu+smoke:///system", "does not understand the URI qemu+smoke:///system"),
        ("te\0st:///default", "does not understand the URI test:///default"),
        ("test:///\udcff", "does not understand the URI test:///"),
        ("qemu+tcp://127.0.0.1:1/system", "could not be reached at qemu+tcp://127.0.0.1:1/system"),
        ("qemu:///system?socket=/no/such", "libvirtd is not running"),
    ],
)
def test_a_uri_that_leads_nowhere(uri: str, words: str) -> None:
    source = GuestsSource(uri)
    for _ in range(2):
        with pytest.raises(HostError) as raised:
            source.read()
        assert words in str(raised.value)
        assert str(raised.value).isprintable()
    source.close()


def test_closing_twice_and_reading_again(source: GuestsSource) -> None:
    first = source.read()
    source.close()
    source.close()
    assert source.read() == first


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HostError):
        GuestsSource("qemu:///system?socket=/no/such").read()
    assert capfd.readouterr() == ("", "")


def test_a_refused_connection_is_opened_for_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon lets everybody read, and this user do no more."""
    asked = []

    def open_auth(uri: str, auth: object, flags: int) -> libvirt.virConnect:
        asked.append(flags)
        if not flags & libvirt.VIR_CONNECT_RO:
            raise refusal
        return libvirt.openReadOnly(uri)

    refusal = libvirt.libvirtError("")
    refusal.err = (94, 0, "no agent is available to authenticate", 2, "", "", "", -1, -1)
    monkeypatch.setattr(libvirt, "openAuth", open_auth)
    connection = Connection(URI, readonly=False, changed=lambda _uuid: None)
    connection.close()
    assert connection.readonly is True
    assert asked == [0, libvirt.VIR_CONNECT_RO]


@pytest.mark.parametrize(
    ("uri", "opened"),
    [
        ("qemu+ssh://pc/system", "qemu+ssh://pc/system?no_tty=1"),
        ("qemu+ssh://pc/system?port=2", "qemu+ssh://pc/system?port=2&no_tty=1"),
        ("qemu+ssh://pc/system?no_tty=0", "qemu+ssh://pc/system?no_tty=0"),
        ("qemu:///system", "qemu:///system"),
        (URI, URI),
    ],
)
def test_ssh_may_not_ask_for_a_password(uri: str, opened: str) -> None:
    assert without_prompts(uri) == opened


def test_readings_of_an_unchanged_host_are_equal(operator: libvirt.virConnect) -> None:
    operator.defineXML(xml("vm", HOSTDEVS))
    source = GuestsSource(URI)
    readings: list[Guests] = [source.read() for _ in range(3)]
    source.close()
    assert readings[0] == readings[1] == readings[2]


# --- what is asked of them ---------------------------------------------------------


def test_each_action_leads_to_its_state(operator: libvirt.virConnect, tmp_path: Path) -> None:
    vm = operator.defineXML(xml("mine"))
    uuid, control = vm.UUIDString(), LibvirtControl(URI, Journal(tmp_path / "journal"))
    vm.create()  # unlike PausedStart, this driver cannot start a domain paused
    for action, expected in (
        ("pause", libvirt.VIR_DOMAIN_PAUSED), ("resume", libvirt.VIR_DOMAIN_RUNNING),
        ("stop", libvirt.VIR_DOMAIN_SHUTOFF), ("stop", libvirt.VIR_DOMAIN_SHUTOFF),
        ("force-off", libvirt.VIR_DOMAIN_SHUTOFF),
    ):  # fmt: skip
        control.act(action, uuid)  # type: ignore[arg-type]
        assert vm.state()[0] == expected, action


def test_hostdevs_are_exchanged_and_given_back(
    operator: libvirt.virConnect, tmp_path: Path
) -> None:
    vm = operator.defineXML(xml("mine", HOSTDEVS))
    uuid, control = vm.UUIDString(), LibvirtControl(URI, Journal(tmp_path / "journal"))
    before = control.definition(uuid)
    new = ("0000:02:00.0", "0000:02:00.1", "0000:02:00.2")
    edited = replace_hostdevs(before, new, ("0000:01:00.0", "0000:01:00.1"))
    control.define(uuid, before, edited.xml)
    found = definition(control.definition(uuid)).hostdevs
    assert [(dev.address, dev.managed) for dev in found] == [
        (new[0], True), (new[1], False), (new[2], False)
    ]  # fmt: skip
    control.define(uuid, control.definition(uuid), before)
    assert control.definition(uuid) == before
