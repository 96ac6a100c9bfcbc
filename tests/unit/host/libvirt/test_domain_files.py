"""Domains of captured hosts, as people post them and as libvirt stores them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.captured import CARD, SOUND, domain
from tui.host.captured import CapturedGuests
from tui.host.confined import Confined
from tui.host.libvirt.domain_files import ONLY_SNAPSHOT
from tui.host.libvirt.domain_xml import DefinitionError, definition
from tui.model import Domain, looks_like_uuid

UUID = "00000000-0000-4000-8000-000000000001"


def read(place: Path, **files: str | bytes) -> list[Domain]:
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (place / f"{name}.xml").write_bytes(data)
    return list(CapturedGuests(Confined(str(place))).read().domains)


@pytest.mark.parametrize("uuid", [None, "", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "REDACTED"])
def test_domains_without_a_uuid_are_read_and_distinguished(
    tmp_path: Path, uuid: str | None
) -> None:
    one, two = read(tmp_path, a=domain("win", uuid), b=domain("win", uuid))
    assert one.uuid != two.uuid
    assert not looks_like_uuid(one.uuid)
    assert (one.name, one.problem, one.addresses) == ("win", None, (CARD, SOUND))
    again = read(tmp_path)
    assert [d.uuid for d in again] == [one.uuid, two.uuid]
    assert one.uuid.isprintable()


def test_libvirt_itself_never_leaves_it_out() -> None:
    with pytest.raises(DefinitionError, match="no valid UUID"):
        definition(domain("win", None))


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "\n\n  {}",
        "\ufeff{}",
        "<?xml version='1.0' encoding='utf-8'?>\n{}",
        "\n<?xml version='1.0'?>{}",
        "<?xml version='1.0' encoding='UTF-16'?>{}",  # converted, but with its first line unchanged
        "<!--\nWARNING: THIS IS AN AUTO-GENERATED FILE.\n  virsh edit win\n-->\n\n{}<!-- end -->\n",
        "<!-- a --><!-- <domain> -->{}",
        "{}" + "\0" * 3000,
    ],
)
def test_what_may_stand_around_a_domain(tmp_path: Path, around: str) -> None:
    (found,) = read(tmp_path, win=around.format(domain("win")))
    assert (found.name, found.uuid, found.problem, found.state) == ("win", UUID, None, "shut off")


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1252", "utf-16", "utf-8", "us-ascii"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    name = "win" if encoding == "us-ascii" else "fenêtre"
    text = f'<?xml version="1.0" encoding="{encoding}"?>\r\n{domain(name)}'
    (found,) = read(tmp_path, a=text.encode(encoding))
    assert (found.name, found.problem) == (name, None)


def test_an_encoding_that_is_not_read_is_named(tmp_path: Path) -> None:
    (found,) = read(tmp_path, a=f'<?xml version="1.0" encoding="EBCDIC-CP-US"?>{domain()}')
    assert found.problem == "its file is encoded in ebcdic-cp-us: convert it to UTF-8"


@pytest.mark.parametrize(
    ("state", "seen"),
    [("running", "running"), ("paused", "paused"), ("shutoff", "shut off"), ("idle", "blocked"),
     ("crashed", "crashed"), ("of tomorrow", "running")],
)  # fmt: skip
def test_what_libvirt_keeps_in_run(tmp_path: Path, state: str, seen: str) -> None:
    runs = domain("win", UUID, " id='1'")
    text = f"<domstatus state='{state}' reason='booted' pid='7'>\n{runs}"
    (found,) = read(tmp_path, win=f"<!--\nWARNING\n-->\n{text}</domstatus>\n")
    assert (found.name, found.state, found.problem) == ("win", seen, None)
    assert found.addresses == (CARD, SOUND)
    assert found.active == (state != "shutoff")  # of a crashed one, its id shows that QEMU is there


SHOT = "<domainsnapshot><name>s</name><state>running</state>{}</domainsnapshot>"


def test_a_snapshot_is_not_how_a_domain_is_now(tmp_path: Path) -> None:
    (alone,) = read(tmp_path, shot=SHOT.format(domain("win", UUID, " id='1'")))
    assert (alone.name, alone.state, alone.problem) == ("win", "unknown", ONLY_SNAPSHOT)
    (both,) = read(tmp_path, win=domain("win", UUID, "", CARD))
    assert (both.state, both.problem, both.addresses) == ("shut off", None, (CARD,))


def test_one_domain_in_several_files(tmp_path: Path) -> None:
    """Its running and its persistent definition, or the same one twice."""
    (found,) = read(
        tmp_path, a=domain("win", UUID), b=domain("win", UUID, " id='4'", CARD), c=domain("win"),
    )  # fmt: skip
    assert (found.uuid, found.state, found.problem, found.addresses) == (
        UUID, "running", None, (CARD,),
    )  # fmt: skip


def test_files_that_contradict_each_other(tmp_path: Path) -> None:
    (found,) = read(tmp_path, a=domain("win", UUID, "", CARD), b=domain("win", UUID, "", SOUND))
    assert found.problem == "several files define it differently"


def test_two_domains_with_one_uuid_are_two(tmp_path: Path) -> None:
    runs = domain("b", UUID, " id='1'")
    found = read(tmp_path, a=domain("a"), b=runs, c=domain("c", UUID.replace("1", "2")))
    assert [(d.name, d.state) for d in found] == [
        ("a", "shut off"), ("b", "running"), ("c", "shut off"),
    ]  # fmt: skip
    assert len({d.uuid for d in found}) == 3
    assert UUID not in {d.uuid for d in found}


def test_a_uuid_made_to_look_like_a_files_is_no_uuid(tmp_path: Path) -> None:
    (first,) = read(tmp_path, a=domain("a", None))
    found = read(tmp_path, b=domain("b", first.uuid))
    assert len({d.uuid for d in found}) == 2


@pytest.mark.parametrize("opening", ["<!--", "<?xml", "<!-- a -->" * 50_000, "<domstatus "])
def test_a_head_without_an_end(tmp_path: Path, opening: str) -> None:
    (found,) = read(tmp_path, a=opening + " " * 200_000)
    assert found.problem is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"<?xml encoding='iso-8859-1'?>"]),
    data=st.binary(max_size=100),
)
def test_any_bytes(tmp_path: Path, head: bytes, data: bytes) -> None:
    (found,) = read(tmp_path, a=head + data)
    assert found.problem
    assert found.problem.isprintable()
