"""Names of domains: typed, and in commands to copy."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.made import card, domain, guests, inventory, snapshot, two_cards
from tui.guest.plan import make_plan
from tui.model import (
    Check,
    GuestAction,
    Holders,
    Readiness,
    Step,
    Vitals,
    domains_named,
    domains_with_uuid,
    looks_like_uuid,
)
from tui.model.naming import shell_word
from tui.rules import guest_checks
from tui.rules.check_input import CheckInput
from tui.rules.view import assess

UUID = "4dea22b3-1d52-d8f3-2516-782e98ab3fa0"
ACTIONS: tuple[GuestAction, ...] = ("start", "stop", "reboot", "pause", "resume", "force-off")
HOSTILE = ("'; rm -rf ~ #", "$(id)", "`id`", "a b", "-h", "--help", "a;b", "a|b", "a&&b", "*", "~",
           "a\nb", "x > /etc/passwd", "!1", "\\", "'", '"', "a  b", "#", "", " ", "{a,b}",
           "\u200bgaming", "7", "-7", "+7", UUID, UUID.replace("-", ""))  # fmt: skip


@pytest.mark.parametrize("name", ["win11", "a.b-c_d", "gaming2", "0x10", "7up"])
def test_a_plain_name_is_its_word(name: str) -> None:
    assert shell_word(name, UUID) == name


@pytest.mark.parametrize(
    "name", ["My VM", "$(id)", "; rm -rf ~", "a;b", "a|b&", "*", "~root", "#x"]
)
def test_a_name_that_can_be_quoted_is(name: str) -> None:
    assert shell_word(name, UUID) == shlex.quote(name)


@pytest.mark.parametrize(
    "name",
    # virsh would take it for an option, an id or a UUID; a shell or a reader would misread it.
    ["-f", "--all", "7", "+7", "-7", UUID, UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}",
     "gaming\u200b", " gaming", "gaming ", "my  vm", "it's", 'a"b', "a`id`", "a\\b", "hi!", "a\nb",
     "ｇaming", "für", "x" * 65, ""],
)  # fmt: skip
def test_any_other_is_called_by_its_uuid(name: str) -> None:
    assert shell_word(name, UUID) == UUID


@given(st.one_of(st.text(), st.text(alphabet=" ab'\"\\$`;&|!-0123\n"), st.sampled_from(HOSTILE)))
def test_a_word_is_one_word_and_means_the_domain(name: str) -> None:
    word = shell_word(name, UUID)
    for command in (
        "virsh -c qemu:///system start --paused",
        "vfiotop force-off",
        "virsh -c qemu:///system edit",
    ):
        words = shlex.split(f"{command} {word}", comments=True)
        assert words[:-1] == command.split()
        assert words[-1] in (name, UUID)
    if words[-1] == name != UUID:
        assert name.isascii()
        assert not name.startswith("-")
        assert not name.lstrip("+-").isdigit()
        assert not looks_like_uuid(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_every_command_that_names_a_domain(name: str) -> None:
    """In the steps of each plan, and in each fix."""
    guest = domain("shown", "02:00.1", "02:00.0", unshown_name=name, uuid=UUID, managed=True)
    other = domain("other", "02:00.1", unshown_name=name, uuid=UUID, state="running")
    view = assess(snapshot(two_cards("vfio-pci"), (guest,), vitals=Vitals(())))
    readings = CheckInput(view, guests(guest), Holders(()), Readiness(root=True, vfio_pci=True))
    commands = [
        text for action in ACTIONS for text in make_plan(action, guest, readings).steps
        if text.startswith("virsh")
    ]  # fmt: skip
    gpu = view.guest_gpu
    assert gpu is not None
    made = [
        guest_checks.managed(guest, gpu), guest_checks.hostdevs_complete(other, gpu),
        guest_checks.driver(guest, "400.10"),
    ]  # fmt: skip
    commands += [command for check in made for command in _commands(check)]
    assert len(commands) == 10
    for command in commands:
        words = shlex.split(command)
        assert words[:3] == ["virsh", "-c", "qemu:///system"]
        assert words[-1] in (name, UUID)
        assert len(words) <= 6


@pytest.mark.parametrize(
    ("uri", "word"),
    [
        ("qemu:///session", "qemu:///session"), ("test:///default", "test:///default"),
        ("qemu+ssh://pc/system?a=1&b=2", "'qemu+ssh://pc/system?a=1&b=2'"),
    ],
)  # fmt: skip
def test_a_command_asks_the_libvirt_that_the_domain_is_from(uri: str, word: str) -> None:
    guest = domain("win11", uri=uri)
    assert guest.edit == f"`virsh -c {word} edit win11`"
    assert guest.virsh("start", "--paused") == f"virsh -c {word} start --paused win11"


def _commands(check: Check) -> list[str]:
    """The text between backticks."""
    assert check.fix is not None
    found = check.fix.split("`")[1::2]
    assert found
    return found


def test_a_step_of_a_swap_is_one_command() -> None:
    odd = "/sys/bus/pci/drivers/a b; id/unbind"
    assert shlex.split(Step("unbind", "0000:01:00.0", 1, path=odd).text) == [
        "echo", "0000:01:00.0", ">", odd
    ]  # fmt: skip
    assert shlex.split(Step("load", "vfio;id", 1).text) == ["modprobe", "vfio;id"]
    assert shlex.split(Step("drivers", "pci:v0000*;id x", 1).text)[2:] == ["pci:v0000*;id", "x"]


def test_two_cards_to_be_moved_first() -> None:
    pair = inventory(*card("01:00", 1, boot_vga=True), *card("02:00", 2), *card("03:00", 3))
    guest = domain("win11", "02:00.0", "03:00.0")
    view = assess(snapshot(pair, (guest,), vitals=Vitals(())))
    readings = CheckInput(view, guests(guest), Holders(()), Readiness(root=True, vfio_pci=True))
    (check,) = (c for c in make_plan("start", guest, readings).checks if c.id == "guest.cards")
    assert _commands(check) == ["vfiotop bind 0000:02:00.0"]


# --- typed names ----------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    raw_name: str
    uuid: str


A, B = Named("gaming", UUID), Named("gaming\u200b", "11111111-2222-3333-4444-555555555555")
C = Named(UUID, "99999999-2222-3333-4444-555555555555")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gaming", (A,)), ("gaming\u200b", (B,)), (r"gaming\u200b", ()), ("Gaming", ()),
        ("gaming ", ()), (UUID[:-1], ()), (B.uuid, (B,)), ("", ()),
        (UUID, (A, C)), (UUID.upper(), (A,)), (f"{{{UUID}}}", (A,)), (C.uuid, (C,)), ("{}", ()),
        ("{gaming}", ()),
    ],
)  # fmt: skip
def test_what_is_typed_means_exactly_that(text: str, expected: tuple[Named, ...]) -> None:
    assert domains_named(text, (A, B, C)) == expected


@given(st.lists(st.builds(Named, st.text(max_size=5), st.uuids().map(str)), max_size=4))
def test_every_domain_can_be_named(named: list[Named]) -> None:
    """Also a name that is another's UUID, and the other way round."""
    crossed = [Named(named[n - 1].uuid, each.uuid) for n, each in enumerate(named)]
    for everyone in (named, crossed):
        for each in everyone:
            assert domains_named(f"{{{each.uuid}}}", everyone) == (each,)
            assert domains_with_uuid(each.uuid.upper(), everyone) == (each,)


def test_a_domain_without_a_uuid_is_meant_by_none() -> None:
    """A captured domain that cannot be read."""
    dark = Named("dark", "")
    assert domains_with_uuid("", (dark,)) == ()
    assert domains_named("", (dark,)) == ()
    assert domains_named("dark", (dark,)) == (dark,)
