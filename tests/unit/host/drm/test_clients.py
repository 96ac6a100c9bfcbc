"""Who has a card open, from all of /proc, and what is not known about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.host.drm.drm_host import IGPU, SECOND, UHD, Machine, amdgpu, i915
from tui.host.drm.clients import SCAN_INTERVAL, Clients
from tui.host.drm.fdinfo import Client, Engine
from tui.host.drm.files import CLIENTS_LIMIT, drm_nodes, find_open_files
from tui.host.drm.usage import PROCESSES_LIMIT, CardUse, ClientUse, card_use, engine_loads
from tui.host.tree import PlainTree, Tree
from tui.model import GpuProcess


class Host(Machine):
    """One integrated GPU, and its clients read every second."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.device = self.add(IGPU, "i915", UHD)
        self.clients = Clients(self.proc, lambda: self.now)

    @property
    def cards(self) -> dict[str, Tree]:
        return {IGPU: PlainTree(self.device)}

    def used(self) -> CardUse:
        return self.clients.read(self.cards)[IGPU]

    def later(self, seconds: float = 1.0) -> CardUse:
        self.now += seconds
        return self.used()

    def lock(self, pid: int) -> None:
        """Deny everybody access to a process."""
        fd = self.proc / str(pid) / "fd"
        for file in fd.iterdir():
            file.unlink()
        fd.rmdir()
        fd.symlink_to("fd")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def pids(found: CardUse) -> list[int | None]:
    assert found.processes is not None
    return [process.pid for process in found.processes]


def test_a_client_counts_once_in_however_many_files_it_is_open(host: Host) -> None:
    for pid, name in ((400, "systemd-logind"), (700, "gnome-shell"), (701, "Xwayland")):
        host.process(pid, name)
    shared = [host.open(400, 20, i915(5), node="card0"), host.open(700, 9, i915(5), node="card0")]
    shared.append(host.open(700, 10, i915(5), node="card0"))
    own = host.open(701, 9, i915(6))
    host.used()
    for file in shared:
        file.write_text(i915(5, render=SECOND // 4))
    own.write_text(i915(6, render=SECOND // 8))
    assert host.later() == CardUse(
        (
            GpuProcess(700, "gnome-shell", "render", 4, 25),
            GpuProcess(701, "Xwayland", "render", 4, 12.5),
        ),
        {"render": 37.5, "copy": 0, "video": 0, "video-enhance": 0},
    )


def test_clients_of_one_process_are_added_up(host: Host) -> None:
    host.process(700, "firefox")
    files = [host.open(700, fd, i915(fd)) for fd in (4, 5)]
    host.used()
    for fd, file in zip((4, 5), files, strict=True):
        file.write_text(i915(fd, render=SECOND // 4))
    assert host.later().processes == (GpuProcess(700, "firefox", "render", 8, 50),)


def test_more_than_all_of_an_engine_is_all_of_it(host: Host) -> None:
    files = {}
    for n in range(3):
        host.process(700 + n, "bench")
        files[n] = host.open(700 + n, 4, i915(n))
    host.used()
    for n, file in files.items():
        file.write_text(i915(n, render=SECOND // 2))
    found = host.later()
    assert found.loads is not None
    assert found.loads["render"] == 100


def test_names_are_made_safe_to_draw(host: Host) -> None:
    process = host.process(700, "x")
    host.open(700, 4, i915(1))
    (process / "comm").write_bytes(b"\x1b[2Jev\xe2\x80\xaeil\xff\n")
    assert host.used().processes == (GpuProcess(700, "[2Jevil\ufffd", "open", 4),)
    (process / "comm").unlink()
    assert host.later(SCAN_INTERVAL).processes == (GpuProcess(700, "process 700", "open", 4, 0),)


def test_new_clients_are_found_within_the_time_of_a_look(host: Host) -> None:
    host.used()
    host.process(700, "game")
    host.open(700, 4, i915(1))
    assert pids(host.later(SCAN_INTERVAL - 0.1)) == []
    found = host.later(0.1)
    assert (pids(found), found.loads) == ([700], None)
    assert host.later().loads is not None


def test_a_look_keeps_the_rates_of_those_that_were_known(host: Host) -> None:
    host.process(700, "game")
    file = host.open(700, 4, i915(1))
    host.used()
    file.write_text(i915(1, render=SECOND))
    found = host.later(SCAN_INTERVAL)
    assert found.processes == (GpuProcess(700, "game", "render", 4, 10),)


def test_a_file_that_is_another_client_now_is_released(host: Host) -> None:
    host.process(700, "game")
    file = host.open(700, 4, i915(1))
    host.used()
    for text in (i915(2), i915(1, address="0000:09:00.0"), "pos:\t0\n", ""):
        file.write_text(text)
        assert pids(host.later()) == []
        file.write_text(i915(1))
        assert pids(host.later(SCAN_INTERVAL)) == [700]


def test_all_is_forgotten_when_no_card_is_read(host: Host) -> None:
    host.process(700, "game")
    host.open(700, 4, i915(1))
    host.used()
    assert host.later().loads is not None
    host.clients.forget()
    assert host.later().loads is None
    assert host.later().loads is not None


# --- what is not known ----------------------------------------------------------------


def test_what_is_seen_is_less_than_all_where_a_process_cannot_be_looked_into(host: Host) -> None:
    host.process(700, "mine")
    file = host.open(700, 4, i915(1))
    host.process(800, "theirs")
    host.lock(800)
    host.used()
    file.write_text(i915(1, render=SECOND // 2))
    mine = GpuProcess(700, "mine", "render", 4, 50)
    found = host.later()
    assert found == CardUse(
        (mine, GpuProcess(None, "1 process of another user", "not seen")), None
    )  # fmt: skip
    host.process(801, "theirs")
    host.lock(801)
    others = (host.later(SCAN_INTERVAL).processes or ())[-1]
    assert others == GpuProcess(None, "2 processes of other users", "not seen")


def test_threads_of_the_kernel_have_no_files_to_be_seen(host: Host) -> None:
    process = host.process(2, "kthreadd) S (")
    (process / "stat").write_text("2 (kthreadd) S () S 0 0 0 0 -1 2129984 0 0\n")
    host.lock(2)
    assert host.used() == CardUse((), {})


@pytest.mark.parametrize("pid_namespace", [False, True])
def test_processes_that_are_not_even_listed(host: Host, pid_namespace: bool) -> None:
    if pid_namespace:
        (host.proc / "self/ns").mkdir(parents=True)
        (host.proc / "self/ns/pid").symlink_to("pid:[4026532201]")
    else:  # hidepid
        (host.proc / "1").rename(host.proc / "900")
    assert host.used() == CardUse((GpuProcess(None, "other processes", "not seen"),), None)


def test_the_namespace_of_the_machine_hides_nothing(host: Host) -> None:
    (host.proc / "self/ns").mkdir(parents=True)
    (host.proc / "self/ns/pid").symlink_to("pid:[4026531836]")
    assert host.used() == CardUse((), {})


@pytest.mark.parametrize(
    "text", ["", "drm-driver:\ti915\n", "drm-driver:\ti915\ndrm-client-id:\tx\n"]
)
def test_a_kernel_that_tells_of_no_clients(host: Host, text: str) -> None:
    host.process(700, "Xorg")
    host.open(700, 4, text)
    assert host.used() == CardUse((GpuProcess(700, "Xorg", "open"),), None)
    assert host.later() == CardUse((GpuProcess(700, "Xorg", "open"),), None)


def test_a_driver_that_tells_of_no_engines(host: Host) -> None:
    text = "".join(line for line in i915(3).splitlines(True) if "engine" not in line)
    host.process(700, "Xorg")
    host.open(700, 4, text)
    host.used()
    assert host.later() == CardUse((GpuProcess(700, "Xorg", "open", 4),), None)


def test_one_client_of_which_no_load_is_known_makes_the_load_unknown() -> None:
    known = ClientUse(7, "a", Client(0, IGPU, 1, {"rcs": Engine(5, 9)}), {"rcs": 20.0})
    new = ClientUse(8, "b", Client(0, IGPU, 2, {"rcs": Engine(5, 9)}))
    stuck = ClientUse(9, "c", Client(0, IGPU, 3, {"rcs": Engine(5, 9)}), {})
    assert card_use([known], {}, 0, False).loads == {"rcs": 20.0}
    assert card_use([known, new], {}, 0, False).loads == {"rcs": 20.0}
    assert card_use([new], {}, 0, False).loads is None
    assert card_use([known, stuck], {}, 0, False).loads is None


def test_amdgpu_lists_no_engine_that_was_never_used(host: Host) -> None:
    host.process(700, "game")
    host.process(701, "panel")
    file = host.open(700, 4, amdgpu(1, "gfx 0", address=IGPU))
    host.open(701, 4, amdgpu(2, address=IGPU))
    host.used()
    file.write_text(amdgpu(1, f"gfx {SECOND // 2}", "enc_1 9", address=IGPU))
    assert host.later().processes == (
        GpuProcess(700, "game", "render, video", 0, 50),
        GpuProcess(701, "panel", "open", 0, 0),
    )


# --- files ----------------------------------------------------------------------------


def test_only_nodes_of_the_cards_are_files_of_theirs(host: Host) -> None:
    host.process(700, "all")
    fd = host.proc / "700/fd"
    for n, target in enumerate(
        ["/dev/dri/card9", "/dev/nvidia0", "/dev/null", "socket:[77]", "/tmp/dev/dri/card0", "/"]
    ):
        (fd / str(n)).symlink_to(target)
    (fd / "99").write_text("")  # no link
    assert pids(host.used()) == [None]  # /proc has no such entry, so it is unknown
    (fd / "99").unlink()
    assert pids(host.later(SCAN_INTERVAL)) == []


def test_a_node_goes_by_its_number_whatever_its_name(host: Host) -> None:
    """In a container it may have any name. /dev/null stands in for a node."""
    host.write(host.device, {"drm/renderD128/dev": "1:3"})
    process = host.process(700, "ffmpeg")
    (process / "fd/7").symlink_to("/dev/null")
    (process / "fd/8").symlink_to("/dev/zero")
    for fd in ("7", "8"):
        (process / "fdinfo" / fd).write_text(i915(int(fd)))
    assert drm_nodes(host.cards).by_number == {("c", 1, 3): IGPU, ("c", 226, 0): IGPU}
    found = find_open_files(host.proc, host.cards)
    assert found is not None
    assert [file.path for file in found.files] == [str(process / "fdinfo/7")]


@pytest.mark.parametrize("text", ["", "226", "226:x", "-1:0", "9" * 20 + ":1"])
def test_a_number_that_makes_no_sense(host: Host, text: str) -> None:
    host.write(host.device, {"drm/renderD128/dev": text, "drm/card0/dev": text})
    assert drm_nodes(host.cards).by_number == {}


def test_without_proc_nothing_is_known(host: Host) -> None:
    assert find_open_files(host.root / "none", host.cards) is None
    assert Clients(host.root / "none", lambda: 0.0).read(host.cards)[IGPU] == CardUse()


def test_the_number_of_clients_is_bounded(host: Host) -> None:
    host.process(700, "many")
    (host.proc / "700/fdinfo/3").write_text(i915(1))
    for fd in range(CLIENTS_LIMIT + 1):
        (host.proc / f"700/fd/{fd}").symlink_to("/dev/dri/renderD128")
    found = find_open_files(host.proc, host.cards)
    assert found is not None
    assert (len(found.files), found.hidden) == (CLIENTS_LIMIT, True)


def test_the_number_of_processes_is_bounded() -> None:
    many = [
        ClientUse(pid, "x", Client(0, IGPU, pid, {"rcs": Engine(5, 9)}), {"rcs": 0.1})
        for pid in range(1, PROCESSES_LIMIT + 4)
    ]
    processes = card_use(many, {}, 0, False).processes or ()
    assert len(processes) == PROCESSES_LIMIT + 1
    assert processes[-1] == GpuProcess(None, "and 3 more", "not listed")


names = st.sampled_from(["rcs", "ccs", "vcs"])
used = st.builds(
    ClientUse,
    st.integers(1, 5),
    st.just("x"),
    st.builds(
        Client,
        st.just(0.0),
        st.just(IGPU),
        st.integers(0, 9),
        st.dictionaries(names, st.builds(Engine, st.integers(0, 9), st.just(9))),
        st.one_of(st.none(), st.integers(0, 1 << 40)),
    ),
    st.one_of(st.none(), st.dictionaries(names, st.floats(0, 100))),
)


@given(st.lists(used, max_size=6), st.dictionaries(st.integers(1, 9), st.just("y")))
def test_loads_and_shares_are_percentages(clients: list[ClientUse], untold: dict[int, str]) -> None:
    found = card_use(clients, untold, 0, False)
    assert found.processes is not None
    assert {p.pid for p in found.processes} == {c.pid for c in clients} | untold.keys()
    for load in engine_loads(clients).values():
        assert 0 <= load <= 100
    for process in found.processes:
        assert process.util_pct is None or 0 <= process.util_pct <= 100
    if untold:
        assert found.loads is None
