"""One PCI function: what it is, and what its group means for passing it through."""

from __future__ import annotations

from collections.abc import Iterator

from tui.model import CardUsers, Gpu, Group, HostView, PciFunction, is_vfio_driver
from widgets.card_details import bars, card_detail_lines, rare_rows, resets
from widgets.detail_lines import Row, detail_lines, row_lines, wrap_line
from widgets.device_names import device_name, kind_of
from widgets.figures import link, short
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, Tone, fit, line, pad, width_of, wrap
from widgets.panel import Accent, Edges, Panel

ACCENTS: dict[str, Accent] = {"guest": "guest-gpu", "host": "host-gpu"}
"""The accent of a card's frame, by its role."""


class DevicePanel(Panel):
    """The details of one PCI function; scrolls."""

    def __init__(self, *, glyphs: Glyphs = RICH) -> None:
        super().__init__("groups", id="device", glyphs=glyphs)
        self._shown: tuple[str, HostView, CardUsers | None] | None = None

    def show(self, address: str, view: HostView, users: CardUsers | None = None) -> None:
        """Draw what ``view`` knows about the function at ``address``, and the ``users`` of a
        GPU."""
        if (address, view, users) != self._shown:
            self._shown = (address, view, users)
            gpu = view.gpu(address)
            self.set_accent(ACCENTS.get(gpu.role, "groups") if gpu is not None else "groups")
            self._draw()

    def _draw(self) -> None:
        if self._shown is None or self.space.width <= 0:
            return
        address, view, users = self._shown
        function = view.functions.get(address)
        name = device_name(function) if function is not None else "Device"
        title = line(Span(name, "strong"), f"{self.glyphs.between}{short(address)}")
        if self.ruled:  # a rule may be too short for the full name
            title = line(Span(short(address), "strong"), f" {name}")
        self.set_edges(Edges(title, owner(function, view.gpu(address), self.glyphs)))
        self.paint_panel(device_lines(address, view, self.space.width, users, self.glyphs))


def owner(function: PciFunction | None, gpu: Gpu | None, glyphs: Glyphs = RICH) -> Line:
    """Who has a function: ``● on nvme``, ``◆ in win11``."""
    if function is None:
        return line(Span(f"{glyphs.stuck} gone", "bad"))
    if gpu is not None and gpu.owner.guest is not None:
        return line(Span(f"{glyphs.in_guest} in {gpu.owner.guest}", "guest"))
    if function.driver is None:
        return line(Span(f"{glyphs.nobody} no driver", "label"))
    if is_vfio_driver(function.driver):
        return line(Span(f"{glyphs.free} on {function.driver}", "guest-gpu"))
    return line(Span(f"{glyphs.on_host} on {function.driver}", "host-gpu"))


def device_lines(
    address: str,
    view: HostView,
    width: int,
    users: CardUsers | None = None,
    glyphs: Glyphs = RICH,
) -> list[Line]:
    """The details of the function at ``address``, and the other functions of its group. If it is
    gone, one sentence says so."""
    function, gpu = view.functions.get(address), view.gpu(address)
    if function is None:
        return wrap(f"{short(address)} no longer exists.", width, "warn")
    group = next(group for group in view.groups if function in group.functions)
    own: list[Row] = [
        ("Name", function.name), ("Vendor", function.vendor_name), ("IDs", _ids(function)),
        ("Kind", f"{kind_of(function)}, class {function.class_code}"), *_guests(address, view),
    ]  # fmt: skip
    neighbours = _neighbours(function, group, width, glyphs)
    if gpu is not None:
        card = card_detail_lines(
            gpu, width, checks=view.checks, users=users, host_driver=view.nvidia_driver,
            guest_driver=view.guest.driver_version if view.guest is not None else None,
            glyphs=glyphs,
        )  # fmt: skip
        return [*row_lines(own, width), (), *card, *neighbours]
    left = [*own, *_passthrough(function, group, glyphs)]
    right: list[Row] = [
        ("Link", f"PCIe at most {link(function.link_max)}" if function.link_max else None),
        ("BARs", bars(function)),
        ("Reset", resets(function)),
        *rare_rows(function),
    ]
    return [*detail_lines(left, right, width), *neighbours]


def _ids(function: PciFunction) -> str:
    ids = f"{function.vendor}:{function.device}"
    return f"{ids}, subsystem {function.subsystem}" if function.subsystem else ids


def _passthrough(function: PciFunction, group: Group, glyphs: Glyphs) -> Iterator[Row]:
    """The function's group, and what the function means for the GPU in it."""
    name = "none" if group.id is None else str(group.id)
    others = len(group.functions) - 1
    if group.id is not None:
        name += f", with {others} other{'s' if others > 1 else ''}" if others else ", alone in it"
    yield "Group", name
    mark = group.marks[group.functions.index(function)]
    reason = group.reason(function.address)
    words: dict[str, tuple[str, Tone]] = {
        "moves": ("moves with the GPU of its group", "text"),
        "blocks": (f"{glyphs.failed} blocks the GPU of its group: {reason or 'in use'}", "bad"),
        "unknown": (f"{glyphs.unknown} {reason or 'not known'}", "warn"),
    }
    if mark in words:
        yield "", line(Span(*words[mark]))


def _guests(address: str, view: HostView) -> Iterator[Row]:
    names = [g.domain.name for g in view.guests if address in g.domain.addresses]
    if names:
        yield "Guests", f"{', '.join(names)} {'takes' if len(names) == 1 else 'take'} it"


def _neighbours(function: PciFunction, group: Group, width: int, glyphs: Glyphs) -> Iterator[Line]:
    """The other functions of the group, which can only go to a guest together with this one."""
    others = [f for f in group.functions if f is not function] if group.id is not None else []
    if not others:
        return
    yield ()
    yield line(Span(f"Also in group {group.id}", "strong"))
    column = min(max(len(device_name(other)) for other in others), max(8, width // 3)) + 2
    indent = " " * len("00:00.0  ")
    for other in others:
        left = line(
            Span(f"{short(other.address)}  ", "label"), *pad(line(device_name(other)), column)
        )
        reason = group.reason(other.address)
        right = line(other.driver or Span("no driver", "dim"))
        if reason is not None:
            right = line(Span(f"{glyphs.failed} {reason}", "bad"))
        if width_of((*left, *right)) <= width:
            yield (*left, *right)
            continue
        yield fit(left, width)
        yield from (line(indent, *row) for row in wrap_line(right, max(width - len(indent), 8)))


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import GUEST_GPU, VIEW

    preview(DevicePanel(), lambda widget: widget.show(GUEST_GPU.address, VIEW))
