"""The users of a card, and their table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.made import card, domain, inventory, snapshot, two_cards
from tui.model import (
    CardReading,
    CardUser,
    CardUsers,
    Gpu,
    GpuProcess,
    Holder,
    Holders,
    Unavailable,
)
from tui.rules.card_users import MAY_USE, OURS, addresses, users
from tui.rules.view import assess
from widgets.lines import width_of
from widgets.used_by import LOOKING, NOBODY, used_by_lines

CARD, AUDIO, OTHER = "0000:02:00.0", "0000:02:00.1", "0000:01:00.0"


def the_card(*processes: GpuProcess) -> Gpu:
    gpu = assess(snapshot(two_cards())).gpu(CARD)
    assert gpu is not None
    return replace(gpu, reading=CardReading(CARD, "nvml", processes=processes))


def in_the_guest() -> Gpu:
    runs = domain("win11", "02:00.0", "02:00.1", state="running")
    gpu = assess(snapshot(two_cards("vfio-pci"), (runs,))).gpu(CARD)
    assert gpu is not None
    return gpu


def held(
    pid: int | None = 812, name: str = "game", what: str = "/dev/nvidia1", **facts: Any
) -> Holder:
    return Holder(facts.pop("address", CARD), pid, name, what, **facts)


def seen(gpu: Gpu, *found: Holder, unseen: int = 0) -> tuple[CardUser, ...]:
    return users(gpu, Holders(found, unseen)).rows


# --- the merge ------------------------------------------------------------------


def test_what_the_driver_lists_and_what_is_found_is_one_user() -> None:
    gpu = the_card(
        GpuProcess(812, "game", "graphics", 512, 42.5), GpuProcess(7, "ffmpeg", "compute")
    )
    has = held(user="ann", command="/opt/game/game --fast", unit="game.service")
    assert seen(gpu, has) == (
        CardUser(7, "ffmpeg", ("compute",), stop="close ffmpeg, or run `kill 7`"),
        CardUser(
            812, "game", ("graphics", "/dev/nvidia1"), "uses", "ann", 512, 42.5,
            "/opt/game/game --fast", "game.service", stop="`systemctl stop game.service`",
        ),
    )  # fmt: skip


def test_a_process_has_all_that_it_has_on_the_card_and_its_sound() -> None:
    found = (
        held(), held(what="maps /dev/nvidia1"), held(what="maps /dev/nvidia-uvm"),
        held(what="/dev/snd/pcmC1D3p", address=AUDIO), held(9, what="/dev/nvidia0", address=OTHER),
    )  # fmt: skip
    (user,) = seen(the_card(), *found)
    assert user.resources == ("/dev/nvidia1", "maps /dev/nvidia-uvm", "/dev/snd/pcmC1D3p")


def test_two_entries_of_a_process_are_not_added_up() -> None:
    twice = (GpuProcess(812, "game", "graphics", 512, 3), GpuProcess(812, "game", "compute", 512))
    (user,) = seen(the_card(*twice))
    assert (user.resources, user.memory_mib, user.util_pct) == (("graphics", "compute"), 512, 3)


def test_what_is_not_known_is_no_zero() -> None:
    (user,) = seen(the_card(), held())
    assert (user.login, user.memory_mib, user.util_pct) == (None, None, None)


def test_nodes_of_all_cards() -> None:
    shared = held(what="/dev/nvidiactl", shared=True)
    (user,) = seen(the_card(), shared)
    assert (user.use, user.resources, user.note) == ("may use", ("/dev/nvidiactl",), MAY_USE)
    assert user.stop == "close game, or run `kill 812`"
    (user,) = seen(the_card(), held(), shared)
    assert (user.use, user.resources, user.note) == ("uses", ("/dev/nvidia1",), None)
    (user,) = seen(the_card(GpuProcess(812, "game", "compute")), shared)
    assert (user.use, user.resources, user.note) == ("uses", ("compute",), None)


def test_our_own_process() -> None:
    (user,) = seen(the_card(), held(8, "python3", user="root", ours=True))
    assert (user.use, user.note, user.stop) == ("ours", OURS, None)


def test_a_part_of_the_kernel() -> None:
    found = (
        held(), held(None, "nvidia_drm", "modeset"), held(None, "nvidia_uvm", "p2p", shared=True)
    )  # fmt: skip
    sure, game, maybe = seen(the_card(), *found)
    assert (game.pid, game.resources) == (812, ("/dev/nvidia1",))
    assert (sure.pid, sure.name, sure.stop) == (None, "nvidia_drm", "unload nvidia_drm")
    assert (sure.use, sure.resources) == ("uses", ("modeset",))
    assert (maybe.name, maybe.use, maybe.note) == ("nvidia_uvm", "may use", MAY_USE)
    assert maybe.resources == ("p2p",)


def test_processes_that_the_driver_counts_only() -> None:
    (user,) = seen(the_card(GpuProcess(None, "and 3 more", "not listed")))
    assert (user.pid, user.name, user.resources, user.stop) == (
        None,
        "and 3 more",
        ("not listed",),
        None,
    )


def test_a_name_that_the_kernel_cut() -> None:
    cut = held(name="nvidia-persiste", command="/usr/bin/nvidia-persistenced --verbose")
    other = held(9, "python3", command="/usr/bin/python3.11 x.py")
    assert [u.name for u in seen(the_card(), cut, other)] == ["python3", "nvidia-persistenced"]


def test_the_order() -> None:
    found = (
        held(3, ours=True), held(2, what="/dev/nvidiactl", shared=True), held(30), held(4),
        held(None, "nvidia_drm", "modeset"),
    )  # fmt: skip
    assert [u.pid for u in seen(the_card(), *found)] == [None, 4, 30, 2, 3]


def test_the_guest_that_has_the_card_is_its_qemu() -> None:
    qemu = held(4242, "qemu-system-x86", "/dev/vfio/2", user="libvirt-qemu")
    sound = held(4242, "qemu-system-x86", "/dev/vfio/2", user="libvirt-qemu", address=AUDIO)
    (user,) = seen(in_the_guest(), qemu, sound)
    assert (user.pid, user.name, user.use, user.resources) == (
        4242, "guest win11", "guest", ("/dev/vfio/2",),
    )  # fmt: skip
    assert (user.login, user.stop) == ("libvirt-qemu", "stop the guest")


@pytest.mark.parametrize(
    "holders", [None, Holders((), uninspected=40), Unavailable("no process can be seen")]
)
def test_the_guest_is_known_without_a_look(holders: Holders | Unavailable | None) -> None:
    (user,) = users(in_the_guest(), holders).rows
    assert (user.pid, user.name, user.resources) == (None, "guest win11", ("the whole card",))


def test_a_card_on_vfio_without_a_guest() -> None:
    gpu = assess(snapshot(two_cards("vfio-pci"))).gpu(CARD)
    assert gpu is not None
    (user,) = seen(gpu, held(77, "qemu-system-x86", "/dev/vfio/2"))
    assert (user.name, user.use) == ("qemu-system-x86", "uses")


def test_what_was_looked_at() -> None:
    gpu = the_card(GpuProcess(812, "game", "graphics"))
    assert users(gpu, None).pending
    assert len(users(gpu, None).rows) == 1
    assert users(gpu, Holders(())).doubt is None
    assert users(gpu, Unavailable("no process can be seen")).doubt == "no process can be seen"
    doubt = "process{} of other users could not be inspected: run this as root"
    assert users(gpu, Holders((), 1)).doubt == f"1 {doubt.format('')}"
    assert users(gpu, Holders((), 57)).doubt == f"57 {doubt.format('es')}"


def test_a_lost_card_and_one_that_lists_none() -> None:
    gpu = assess(snapshot(two_cards())).gpu(CARD)
    assert gpu is not None
    assert seen(gpu) == ()
    assert seen(replace(gpu, reading=CardReading(CARD, "nvml", lost="fell off"))) == ()


def test_the_companions_are_looked_at_too() -> None:
    pci = inventory(*card("02:00", 2), *card("03:00", 3))
    gpu = assess(snapshot(pci)).gpu(CARD)
    assert gpu is not None
    assert addresses(gpu) == (CARD, AUDIO)


# --- the table ------------------------------------------------------------------

ROWS = (
    CardUser(4242, "guest win11", ("/dev/vfio/2",), "guest", "libvirt-qemu", stop="stop the guest"),
    CardUser(
        893, "Xorg", ("graphics", "/dev/nvidia0"), "uses", "root", 84.4, 7, "Xorg vt2",
        "session-2.scope", stop="log out of the desktop, or move it to the other card",
    ),
    CardUser(1234567, "python3", ("compute", "/dev/nvidia0"), "uses", "lab", 21540, 100),
    CardUser(
        15, "monitor", ("/dev/nvidiactl",), "may use", note=MAY_USE,
        stop="close monitor, or run `kill 15`",
    ),
    CardUser(8, "python3", ("/dev/nvidia0",), "ours", "root", note=OURS),
    CardUser(None, "nvidia_drm", ("modeset",), stop="unload nvidia_drm"),
)  # fmt: skip


DRAWABLE = st.characters(codec="utf-8", exclude_categories=("C", "Z"))


def drawn(users: CardUsers, width: int) -> list[str]:
    lines = used_by_lines(users, width)
    assert all(width_of(row) <= width for row in lines)
    return ["".join(span.text for span in row).rstrip() for row in lines]


@pytest.mark.parametrize("width", [36, 40, 75, 99, 100, 116, 200])
def test_all_of_it_is_on_the_table(width: int) -> None:
    text = " ".join(" ".join(drawn(CardUsers(ROWS), width)).split())
    for user in ROWS:
        for words in (user.name, *user.resources, str(user.pid or "–")):
            assert words in text, words
    assert "…" not in text
    assert "84 MiB" in text
    assert "21.0 GiB" in text


@pytest.mark.parametrize("width", [40, 75, 116])
def test_numbers_stand_in_columns(width: int) -> None:
    _, titles, *rows = drawn(CardUsers(ROWS[1:3]), width)
    first, second = (row for row in rows if "iB" in row)
    assert first.index("84 MiB") + 6 == second.index("21.0 GiB") + 8
    assert titles.index("Memory") + 6 == first.index("84 MiB") + 6
    assert titles.index("Load") + 4 == first.index("%") + 1 == second.index("%") + 1
    assert titles.index("PID") + 3 == first.index("893") + 3 == second.index("1234567") + 7


def test_how_to_end_it_is_beside_where_there_is_room() -> None:
    wide = drawn(CardUsers(ROWS[1:2]), 116)
    assert "To stop it" in wide[1]
    assert "Xorg" in wide[2]
    assert "log out" in wide[2]
    normal = drawn(CardUsers(ROWS[1:2]), 75)
    assert normal[2].endswith("graphics, /dev/nvidia0")
    assert [row.strip() for row in normal[3:]] == [
        "Xorg vt2", "→ log out of the desktop, or move it to the other card",
        "unit session-2.scope",
    ]  # fmt: skip
    narrow = drawn(CardUsers(ROWS[1:2]), 40)
    assert narrow[3].strip() == "root · graphics, /dev/nvidia0"


def test_a_unit_that_the_way_to_end_it_names_is_named_once() -> None:
    user = replace(ROWS[1], unit="x.service", stop="`systemctl stop x.service`")
    assert " ".join(drawn(CardUsers((user,)), 116)).count("x.service") == 1


def test_long_names_are_cut() -> None:
    user = replace(ROWS[1], name="a" * 200, login="b" * 200, command="c " * 200)
    for width in (31, 75, 116):
        assert "…" in " ".join(drawn(CardUsers((user,)), width))


def test_what_is_said_where_there_is_no_row() -> None:
    assert drawn(CardUsers(()), 75) == ["Used by", NOBODY]
    assert drawn(CardUsers((), pending=True), 75) == ["Used by", LOOKING]
    assert drawn(CardUsers((), doubt="no process can be seen"), 75)[1:] == [
        "no process can be seen"
    ]


@given(
    width=st.integers(31, 220),
    name=st.text(DRAWABLE, min_size=1, max_size=40),
    has=st.lists(st.text("/devnia0", min_size=1, max_size=40), max_size=5),
    pid=st.none() | st.integers(1, 4194304),
    mib=st.none() | st.floats(0, 200000),
)  # fmt: skip
def test_it_fits_every_width(
    width: int, name: str, has: list[str], pid: int | None, mib: float | None
) -> None:
    user = CardUser(pid, name, tuple(has), login=name, memory_mib=mib, unit=name, stop=name)
    assert len(drawn(CardUsers((user, *ROWS)), width)) > len(ROWS)
