"""Sets of CPUs, and the layout of a processor."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.host.cpu_sets import cpu_set
from tui.host.cpu_topology import CPUS, cpu_topology
from tui.host.tree import PlainTree
from tui.model import CPU_LIMIT, CpuSet, CpuTopology, cpu_list


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", (0,)), ("0-3,8", (0, 1, 2, 3, 8)), ("8,0", (0, 8)), (" 1 , 2 ", (1, 2)),
        ("0-4,^3", (0, 1, 2, 4)), ("3,3", (3,)), (f"{CPU_LIMIT - 1}", (CPU_LIMIT - 1,)),
        ("", None), (None, None), ("a", None), ("1,", None), ("3-1", None), ("-1", None),
        ("1-", None), ("٣", None), ("^1", None), (f"{CPU_LIMIT}", None), ("0-999999999", None),
        ("1" * 40, None), (",".join(["0-1"] * 1024), (0, 1)), (",".join(["0-1"] * 1025), None),
        (",".join(map(str, range(CPU_LIMIT))), tuple(range(CPU_LIMIT))),
    ],
)  # fmt: skip
def test_a_set_of_cpus(text: str | None, found: CpuSet | None) -> None:
    assert cpu_set(text) == found


@given(st.sets(st.integers(0, CPU_LIMIT - 1), min_size=1))
def test_a_set_is_read_as_it_is_written(cpus: set[int]) -> None:
    assert cpu_set(cpu_list(tuple(sorted(cpus)))) == tuple(sorted(cpus))


@given(st.text(max_size=40))
def test_no_text_makes_a_set_raise(text: str) -> None:
    found = cpu_set(text)
    assert found is None or set(found) <= set(range(CPU_LIMIT))


def lay_out(root: Path, siblings: dict[int, str], **files: str) -> PlainTree:
    for cpu, text in siblings.items():
        place = root / CPUS / f"cpu{cpu}" / "topology"
        place.mkdir(parents=True)
        (place / "thread_siblings_list").write_text(f"{text}\n")
    for name, text in files.items():
        (root / CPUS / name).write_text(f"{text}\n")
    return PlainTree(root)


def test_two_threads_a_core(tmp_path: Path) -> None:
    siblings = {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}
    root = lay_out(tmp_path, siblings, online="0-3", isolated="1,3", nohz_full="")
    found = cpu_topology(root)
    assert found == CpuTopology(((0, 2), (1, 3)), isolated=(1, 3))
    assert found.cpus == (0, 1, 2, 3)
    assert (found.siblings(3), found.siblings(9)) == ((1,), ())


def test_a_cpu_that_is_off_has_no_siblings(tmp_path: Path) -> None:
    found = cpu_topology(lay_out(tmp_path, {0: "0", 1: "1"}, online="0-1"))
    assert found is not None and found.siblings(0) == ()


@pytest.mark.parametrize(
    ("siblings", "files"),
    [
        ({0: "0"}, {}),
        ({0: "0"}, {"online": "0-1"}),
        ({0: "0", 1: ""}, {"online": "0-1"}),
        ({0: "1", 1: "1"}, {"online": "0-1"}),
        ({0: "0"}, {"online": "all"}),
    ],
    ids=["no list", "one is missing", "one is empty", "one is not in its core", "no set"],
)
def test_half_a_layout_is_none(
    siblings: dict[int, str], files: dict[str, str], tmp_path: Path
) -> None:
    assert cpu_topology(lay_out(tmp_path, siblings, **files)) is None
