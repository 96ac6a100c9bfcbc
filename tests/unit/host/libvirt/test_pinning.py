"""What a domain's XML pins."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tui.host.libvirt.pinning import THREADS_LIMIT, pinning
from tui.model import CPU_LIMIT, Pinning


def pinned(inner: str) -> Pinning | None:
    return pinning(ElementTree.fromstring(f"<domain>{inner}</domain>"))


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        ("<vcpu>2</vcpu>", Pinning((None, None))),
        ("<vcpu cpuset='2-3'>2</vcpu>", Pinning(((2, 3), (2, 3)), (2, 3))),
        ("<vcpu placement='auto'>1</vcpu>", Pinning((None,), auto=True)),
        ("<vcpu cpuset='4-7'>2</vcpu><cputune><vcpupin vcpu='1' cpuset='6'/>"
         "<emulatorpin cpuset='0'/></cputune>", Pinning(((4, 5, 6, 7), (6,)), (0,))),
        ("<vcpu>1</vcpu><iothreads>2</iothreads><cputune>"
         "<iothreadpin iothread='2' cpuset='1'/></cputune>",
         Pinning((None,), iothreads=((1, None), (2, (1,))))),
        ("<vcpu>1</vcpu><iothreads>1</iothreads><iothreadids><iothread id='7'/></iothreadids>"
         "<cputune><iothreadpin iothread='7' cpuset='1'/></cputune>",
         Pinning((None,), iothreads=((7, (1,)),))),
        ("<vcpu>1</vcpu><cputune><vcpupin vcpu='9' cpuset='1'/></cputune>", Pinning((None,))),
    ],
    ids=["nothing", "all", "auto", "one", "IO thread", "id of an IO thread", "no such vCPU"],
)  # fmt: skip
def test_what_is_pinned(inner: str, found: Pinning) -> None:
    assert pinned(inner) == found


@pytest.mark.parametrize("inner", ["", "<vcpu/>", "<vcpu>0</vcpu>", "<vcpu>many</vcpu>",
                                   f"<vcpu>{THREADS_LIMIT + 1}</vcpu>"])  # fmt: skip
def test_without_a_number_of_vcpus_nothing_is_known(inner: str) -> None:
    assert pinned(inner) is None


@pytest.mark.parametrize(
    "inner",
    [
        "<vcpu cpuset='all'>2</vcpu>",
        f"<vcpu cpuset='0-{CPU_LIMIT}'>2</vcpu>",
        "<vcpu>2</vcpu><cputune><vcpupin vcpu='0' cpuset=''/></cputune>",
        "<vcpu>2</vcpu><cputune><vcpupin vcpu='x' cpuset='1'/></cputune>",
        "<vcpu>2</vcpu><cputune><emulatorpin cpuset='0--1'/></cputune>",
    ],
)
def test_a_set_that_cannot_be_read_is_not_taken_for_no_pin(inner: str) -> None:
    assert pinned(inner) == Pinning((None, None), unclear=True)
