"""Everything on one screen: both GPUs, the guest, the IOMMU groups, the events."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.background import background
from tui.commands import bindings
from tui.host import HostError
from tui.live import GUEST_CPU, Live, util_key
from tui.model import NOT_READ_YET, DeviceUses, GuestDevice
from tui.rules.hostdev_checks import functions_to_inspect, live_verdicts
from tui.screens.base import HostScreen
from tui.session import Session
from widgets.event_list import EventList
from widgets.gpu_list import GpuList
from widgets.gpu_panel import GpuPanel
from widgets.group_tree import GroupTree
from widgets.guest_panel import GuestPanel
from widgets.notice import Notice

PANELS = 2
"""GPUs with a panel of their own; further ones are listed."""

LISTED = 6
"""Further GPUs that are listed before the list scrolls."""


class OverviewScreen(HostScreen):
    """The first screen, and the one that stays open."""

    NAME = "overview"
    CSS_PATH = "overview.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "GpuPanel"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._uses = DeviceUses()
        self._uses_of: Hashable = ()

    def body(self) -> Iterable[Widget]:
        glyphs = self.glyphs
        with Container(id="body"):
            with Container(id="gpus"):
                yield Notice(id="no-gpu")
                for index in range(PANELS):
                    yield GpuPanel(id=f"gpu-{index}", glyphs=glyphs)
            yield GpuList(id="more-gpus")
            with Container(id="middle"):
                yield GuestPanel(id="guest", glyphs=glyphs)
                yield GroupTree(id="groups")
            yield EventList(id="events")

    @property
    def shows_cards(self) -> bool:
        return True

    @property
    def subject(self) -> str | None:
        focused = self.focused
        if isinstance(focused, GpuPanel):
            return focused.gpu.address if focused.gpu else None
        if isinstance(focused, GroupTree):
            return focused.selected
        if isinstance(focused, GuestPanel):
            guest = self.session.live.view.guest
            return guest.domain.uuid if guest else None
        return None

    async def on_group_tree_chosen(self) -> None:
        await self.app.run_action("app.details")

    def draw(self, live: Live) -> None:
        self._draw_gpus(live)
        view = live.view
        past = live.history.series(GUEST_CPU)
        at = self.session.host.now()
        self.query_one(GuestPanel).show(
            view.guests, view.problem("guests"), past, at, self._devices(live)
        )
        groups = self.query_one(GroupTree)
        groups.set_titles("IOMMU groups" if view.iommu_enabled else "PCI devices")
        groups.show(view.groups, view.problem("pci"))
        self.query_one(EventList).show(live.events)

    def _devices(self, live: Live) -> tuple[GuestDevice, ...]:
        """The host's devices that the guest takes. Their uses on the host are read again when
        other devices are to be checked, or a device changes to or from a host driver."""
        guest = live.view.guest
        if guest is None:
            return ()
        addresses = functions_to_inspect(guest.domain, live.view)
        if addresses != self._uses_of:
            self._uses_of = addresses
            self.run_worker(self._read_uses(addresses), exclusive=True)
        return live_verdicts(guest.domain, live.view, live.snapshot.guests, self._uses)

    async def _read_uses(self, addresses: tuple[str, ...]) -> None:
        host = self.session.host
        try:
            self._uses = await background(lambda: host.uses(addresses))
        except HostError:  # no thread can be started: the uses stay unknown
            self._uses = DeviceUses()
        self.show()

    def _draw_gpus(self, live: Live) -> None:
        gpus, at, late_s = live.view.gpus, self.session.host.now(), self.session.late_s
        for index in range(PANELS):
            panel = self.query_one(f"#gpu-{index}", GpuPanel)
            panel.display = index < len(gpus)
            if index < len(gpus):
                past = live.history.series(util_key(gpus[index].address))
                age_s = live.age(gpus[index], at)
                panel.show(gpus[index], past, live.view.checks, age_s=age_s, late_s=late_s)
        # Before the first reading there may be GPUs, and styling the screen twice takes long.
        none = not gpus and live.snapshot.pci != NOT_READ_YET
        notice = self.query_one(Notice)
        notice.display = none
        self.set_class(none, "-no-gpu")
        notice.show(
            live.view.problem("pci")
            or "No GPU found: this host has no PCI function of class 0300, 0302 or 0380. "
            "`vfiotop --demo` shows a simulated one."
        )
        more = self.query_one(GpuList)
        further = gpus[PANELS:]
        more.display = bool(further)
        height = min(len(further), LISTED) + 2
        if more.styles.height is None or more.styles.height.value != height:
            more.styles.height = height
        more.show(further, [live.age(gpu, at) for gpu in further], late_s)
