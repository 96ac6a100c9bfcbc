"""What is known about a card besides its readings; shown below its graphs when full-screen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tui.model import SMALL_BAR, CardUsers, Check, Gpu, Metrics, MetricsSource, PciFunction
from widgets.check_names import check_name
from widgets.detail_lines import Row, detail_lines
from widgets.device_names import kind_of
from widgets.figures import link, number, pcie, short, size
from widgets.glyphs import RICH, Glyphs
from widgets.lines import DASH, Line, Span, Tone, line
from widgets.used_by import used_by_lines

BRANDS = {"geforce": "GeForce", "titan": "TITAN", "pro": "professional", "mining": "mining",
          "unknown": "unknown brand"}  # fmt: skip

WITHOUT_FAN: tuple[MetricsSource, ...] = ("i915", "xe")
"""Sources whose cards have no fan of their own. Their encoders are not read."""

_CHIP = re.compile(r"[^\[\]]+(?= \[)")


def card_detail_lines(
    gpu: Gpu,
    width: int,
    *,
    checks: Sequence[Check] = (),
    users: CardUsers | None = None,
    guest_driver: str | None = None,
    host_driver: str | None = None,
    stop_key: str = "x",
    glyphs: Glyphs = RICH,
) -> list[Line]:
    """The details of ``gpu``, in two columns where there is room, and the table of its users.

    ``checks`` are the live checks; those of NVIDIA's rules are summarised. ``users`` is ``None``
    before the first scan for users. ``guest_driver`` and ``host_driver`` are the versions of
    NVIDIA's driver in the guest that has the card, and on the host.
    """
    left = [
        ("Card", _card(gpu, glyphs)),
        ("Moves" if gpu.role == "guest" else "Functions", _functions(gpu)),
        *_group(gpu, glyphs),
        ("Driver", _driver(gpu, guest_driver, host_driver, glyphs)),
        ("Used by", _used_by(gpu, users, stop_key)),
        *_rules(gpu, checks, glyphs),
    ]
    lines = detail_lines(left, list(_right(gpu)), width)
    if users is not None and (users.doubt or any(user.use != "guest" for user in users.rows)):
        lines += [(), *used_by_lines(users, width, glyphs)]
    return lines


def _card(gpu: Gpu, glyphs: Glyphs) -> Line:
    """``AD102 10de:2684 · Ada GeForce, desktop``"""
    function, nvidia = gpu.function, gpu.nvidia
    ids = f"{function.vendor}:{function.device}"
    chip = _CHIP.match(function.name)
    words = [f"{chip[0]} {ids}" if chip else ids]
    if nvidia is None:
        words.append(function.vendor_name or "")
    else:
        by_id = " by its id" if nvidia.brand_by_id else ""
        model = " ".join(part for part in (nvidia.family, BRANDS[nvidia.brand]) if part)
        words.append(", ".join(part for part in (f"{model}{by_id}", nvidia.form) if part))
    return line(glyphs.between.join(word for word in words if word))


def _functions(gpu: Gpu) -> Line:
    """``01:00.0 and 01:00.1 (audio), both on vfio-pci``"""
    drivers = {function.driver for function in gpu.functions}
    on = f"on {next(iter(drivers))}" if drivers != {None} else "without a driver"
    if len(gpu.functions) == 1:
        return line(f"{short(gpu.address)} alone")
    if len(drivers) > 1:
        each = (f"{_named(f, gpu)} on {f.driver or 'no driver'}" for f in gpu.functions)
        return line(", ".join(each))
    *first, last = (_named(function, gpu) for function in gpu.functions)
    return line(f"{', '.join(first)} and {last}, {'both' if len(first) == 1 else 'all'} {on}")


def _named(function: PciFunction, gpu: Gpu) -> str:
    if function.address == gpu.address:
        return short(function.address)
    kind = kind_of(function)
    return f"{short(function.address)} ({kind if kind.isupper() else kind.lower()})"


def _group(gpu: Gpu, glyphs: Glyphs) -> Iterator[Row]:
    """Its group, whether VFIO can claim it, and each function that blocks it, with the reason."""
    group, viability = gpu.function.iommu_group, gpu.viability
    name = "none" if group is None else str(group)
    verdicts: dict[bool | None, tuple[str, Tone]] = {
        True: (f"{glyphs.passed} viable", "good"),
        False: (f"{glyphs.failed} blocked", "bad"),
        None: (f"{glyphs.unknown} not known whether it is viable", "warn"),
    }
    words, tone = verdicts[viability.for_guest]
    why = f": {viability.reason}" if viability.reason and not viability.staying else ""
    yield "Group", line(f"{name} ", Span(f"{words}{why}", tone))
    for blocker in viability.staying:
        yield "", line(Span(f"{short(blocker.address)} ", "bad"), blocker.reason)
    if viability.fix and viability.for_guest is not True:
        yield "Fix", viability.fix


def _driver(gpu: Gpu, in_guest: str | None, on_host: str | None, glyphs: Glyphs) -> Line:
    """``in the guest 581.57 · on the host vfio-pci``"""
    driver = gpu.function.driver or "none"
    version = f" {on_host}" if driver == "nvidia" and on_host else ""
    here = f"on the host {driver}{version}"
    if in_guest is None or gpu.owner.guest is None:
        return line(here)
    return line(f"in the guest {in_guest}{glyphs.between}{here}")


def _used_by(gpu: Gpu, users: CardUsers | None, stop_key: str) -> Line:
    guest = gpu.owner.guest
    if guest is not None:
        stop = f": {stop_key} stops it" if stop_key else ""
        return line(f"{guest}, the whole card{stop}")
    if users is None or users.pending:
        return line(Span("checking …", "dim"))
    count = len(users.rows)
    if count:
        return line(f"{count} process{'es' if count > 1 else ''}, below")
    return line(Span("not known, see below", "warn")) if users.doubt else line("no process")


def _rules(gpu: Gpu, checks: Sequence[Check], glyphs: Glyphs) -> Iterator[Row]:
    """NVIDIA's rules for the guest's card: the worst verdict with its reason, or a summary."""
    if gpu.role != "guest" or not checks:
        return
    verdicts: tuple[tuple[str, str, Tone], ...] = (
        ("fail", glyphs.failed, "bad"), ("unknown", glyphs.unknown, "warn"),
        ("warn", glyphs.warned, "warn"),
    )  # fmt: skip
    for verdict, sign, tone in verdicts:
        for check in checks:
            if check.verdict == verdict:
                yield "Rules", line(Span(f"{sign} {check_name(check.id)}: ", tone), check.why)
                return
    names = ", ".join(check_name(check.id) for check in checks if check.id.startswith("r465."))
    yield "Rules", line(Span(f"{glyphs.passed} ", "good"), names)


def _right(gpu: Gpu) -> Iterator[Row]:
    function, reading = gpu.function, gpu.reading
    metrics = reading.metrics if reading is not None and reading.lost is None else Metrics()
    yield "Link", _link(gpu, metrics)
    yield "BARs", bars(function)
    yield "Reset", resets(function)
    if reading is None or reading.source not in WITHOUT_FAN or metrics.fan_pct is not None:
        yield "Fan", line(number(metrics.fan_pct, "%"))
        coder, decoder = number(metrics.enc_pct, "%"), number(metrics.dec_pct, "%")
        yield "Codec", line("encoder ", coder, ", decoder ", decoder)
    if metrics.enc_sessions:
        yield "Stream", stream(metrics)
    if metrics.throttle is not None:
        held = ", ".join(metrics.throttle)
        yield "Held back", line("by ", Span(held, "warn")) if held else "by nothing"
    if function.boot_vga:
        yield "Display", "drives the host's"
    yield from rare_rows(function)
    for remark in reading.remarks if reading is not None else ():
        yield "Note", line(Span(remark, "warn"))


def stream(metrics: Metrics) -> Line:
    """``1 session, 60 fps, 4.2 ms``: the video streams that the card encodes."""
    count, fps, late = metrics.enc_sessions or 0, metrics.enc_fps, metrics.enc_latency_us
    parts = [f"{count} session{'' if count == 1 else 's'}"]
    parts += [f"{fps:.0f} fps"] if fps is not None else []
    parts += [f"{late / 1000:.1f} ms"] if late is not None else []
    return line(", ".join(parts))


def _link(gpu: Gpu, metrics: Metrics) -> str:
    """``PCIe 4.0 x4, at most 4.0 x16``: the current link, and the best that both ends support."""
    now = link(gpu.vitals.link if gpu.vitals else None)
    if metrics.pcie_gen is not None:
        now = pcie(metrics.pcie_gen, metrics.pcie_width)
    most = link(gpu.function.link_max)
    if metrics.pcie_gen_max is not None:
        most = pcie(metrics.pcie_gen_max, metrics.pcie_width_max)
    return f"PCIe {now}" + ("" if most == DASH else f", at most {most}")


def bars(function: PciFunction) -> str:
    """The sizes of the memory BARs; a large one of a GPU is Resizable BAR."""
    memory = [bar for bar in function.bars if not bar.io]
    large = max((bar.size for bar in memory if bar.prefetchable), default=0)
    rebar = large if function.is_gpu and large > SMALL_BAR else 0
    return ", ".join(
        f"{size(bar.size)}{' (ReBAR)' if bar.size == rebar else ''}" for bar in memory
    )  # fmt: skip


def resets(function: PciFunction) -> str | None:
    """How the function can be reset; ``None`` if that is not known."""
    methods = function.reset_methods
    return None if methods is None else ", ".join(methods) or "none"


def rare_rows(function: PciFunction) -> Iterator[Row]:
    """Properties that few functions have."""
    if function.sriov_total_vfs:
        yield "SR-IOV", f"up to {function.sriov_total_vfs} virtual functions"
    if function.numa_node is not None and function.numa_node >= 0:
        yield "NUMA", f"node {function.numa_node}"
    if function.unreadable:
        yield "Unread", line(Span(", ".join(function.unreadable), "warn"))
