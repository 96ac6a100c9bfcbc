"""What is known about a guest besides its readings; shown below its graphs when full-screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tui.model import Domain, GuestDevice, HostDev, PciFunction, Verdict
from widgets.detail_lines import LABEL, Row, detail_lines
from widgets.device_names import device_name
from widgets.figures import short
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, fit, line, width_of, wrap

NAME = 18
"""Cells of a device's name."""

AGENTS: dict[bool | None, tuple[str, Tone]] = {
    True: ("connected", "text"), False: ("not responding", "warn"), None: ("no channel", "dim"),
}  # fmt: skip
"""Whether the guest agent answers."""

MANAGED = {
    True: "managed='yes': libvirt moves it at the start",
    False: "managed='no': libvirt does not move it",
}


def guest_detail_lines(
    domain: Domain,
    width: int,
    *,
    devices: Sequence[GuestDevice] = (),
    functions: Mapping[str, PciFunction] | None = None,
    driver: str | None = None,
    glyphs: Glyphs = RICH,
) -> list[Line]:
    """The details of ``domain``, in two columns where there is room, and its host devices.

    ``devices`` are the verdicts on these, ``functions`` the host's PCI functions by address, and
    ``driver`` the version of NVIDIA's driver in the guest.
    """
    parts = (
        "persistent" if domain.persistent else "transient: gone when it stops",
        f"{domain.vcpus} vCPU" if domain.vcpus else "",
        f"{domain.memory_mib / 1024:.1f} GiB" if domain.memory_mib else "",
    )  # fmt: skip
    left: list[Row] = [("Domain", glyphs.between.join(filter(None, parts))), ("UUID", domain.uuid)]
    if domain.problem:
        left.append(("Problem", line(Span(domain.problem, "warn"))))
    agent, tone = AGENTS[domain.agent] if domain.active else ("the guest is off", "dim")
    right: list[Row] = [("Agent", line(Span(agent, tone))), ("Driver", driver)]
    if domain.kvm_hidden:
        right.append(("KVM", "hidden from the guest"))
    lines = detail_lines(left, right, width)
    lines += _devices(domain.hostdevs, devices, functions or {}, width, glyphs)
    return lines


def _devices(
    taken: Sequence[HostDev],
    judged: Sequence[GuestDevice],
    functions: Mapping[str, PciFunction],
    width: int,
    glyphs: Glyphs,
) -> Iterator[Line]:
    """Each device with its verdict. Words that apply to two in a row are written once."""
    signs: dict[Verdict, tuple[str, Tone]] = {
        "pass": (glyphs.passed, "good"), "warn": (glyphs.warned, "warn"),
        "fail": (glyphs.failed, "bad"), "unknown": (glyphs.unknown, "warn"),
    }  # fmt: skip
    verdicts = {device.address: device for device in judged}
    room = max(width - LABEL - 2, 8)
    before: list[Line] = []
    for index, device in enumerate(taken):
        verdict, function = verdicts.get(device.address), functions.get(device.address)
        told = wrap(_words(device, verdict), room, "dim")
        if verdict is not None and verdict.short:
            told = wrap(_words(device, verdict), room)
            told += wrap(f"{glyphs.changed} {verdict.fix}", room) if verdict.fix else []
        rows = wrap("the same", room, "dim") if told == before else told
        before = told if verdict is not None and verdict.short else []
        sign, tone = signs[verdict.verdict] if verdict is not None else (" ", "text")
        head = line(
            Span(f"{'' if index else 'Devices':<{LABEL}}", "label"), Span(f"{sign} ", tone),
            f"{short(device.address)}  ",
            device_name(function) if function is not None else "no such device",
        )  # fmt: skip
        yield from _headed(head, rows, width)


def _headed(head: Line, rows: Sequence[Line], width: int) -> Iterator[Line]:
    """``rows`` beside the head if there is only one and it fits, else below it."""
    column = max(LABEL + 2 + len("00:00.0  ") + NAME, width_of(head) + 2)
    if len(rows) == 1 and column + width_of(rows[0]) <= width:
        yield (*head, Span(" " * (column - width_of(head))), *rows[0])
        return
    yield fit(head, width)
    yield from (line(" " * (LABEL + 2), *row) for row in rows)


def _words(device: HostDev, verdict: GuestDevice | None) -> str:
    """Who binds a device to vfio-pci, or what is wrong with it."""
    if verdict is not None and verdict.short:
        return verdict.why.removeprefix(f"{device.address} ")
    return MANAGED[device.managed] if device.by == "hostdev" else f"as {device.by}"
