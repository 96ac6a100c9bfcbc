"""The keys that work on every screen: which screen each one opens, or why it does not.

A screen is imported when it is first opened: the first frame needs only the overview.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import TypeVar, get_args

from textual.actions import ActionParseResult
from textual.app import SystemCommand
from textual.dom import DOMNode
from textual.events import Event, Key
from textual.screen import Screen

from tui import state
from tui.background import background
from tui.commands import REMAPPED, of_screen
from tui.host import HostError
from tui.model import Direction, PendingReturn
from tui.screens.arrangement import PanelId
from tui.screens.base import HostScreen, open_screen
from tui.screens.overview import OverviewScreen
from tui.session import Session
from tui.terminal.app import TerminalApp, is_field
from tui.terminal.ending import Ending
from tui.theme import NAMES, next_theme
from widgets.figures import short

Kept = TypeVar("Kept", bound=HostScreen)


class Navigation(TerminalApp):
    """The actions of ``tui.commands`` that start with ``app.``, and how keys are refused."""

    def __init__(
        self,
        session: Session,
        ending: Ending | None = None,
        *,
        first_keys: Collection[str] = (),
        field_keys: Collection[str] = (),
    ) -> None:
        super().__init__(ending, first_keys=first_keys, field_keys=field_keys)
        self.session = session

    # --- keys that do nothing now ---

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Answer Textual whether a key works: ``None`` dims it, ``False`` lets it mean
        something else."""
        if action == "keep" and (self.session.pending_return is None or is_field(self.focused)):
            return False
        return None if self.session.why_not(action) else super().check_action(action, parameters)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action, or say why its key does nothing now."""
        name = action if isinstance(action, str) else action[1]
        if isinstance(self.screen, HostScreen):
            bare = name.rpartition(".")[2]
            hidden = self.check_action(bare, ()) is False
            reason = None if hidden else self.screen.why_not(bare)
            if reason is not None:
                self.screen.say(self.screen.refusal(bare, reason), warns=True)
                return True
        return await super().run_action(action, default_namespace, namespaces)

    async def on_event(self, event: Event) -> None:
        """Clear the notice of the previous key at the next one."""
        if isinstance(event, Key) and isinstance(self.screen, HostScreen):
            self.screen.clear_notice()
        await super().on_event(event)

    def say(self, text: str, *, warns: bool = False) -> None:
        """Show a message in the footer of the current screen."""
        if isinstance(self.screen, HostScreen):
            self.screen.say(text, warns=warns)

    def action_help_quit(self) -> None:
        """Say how to quit."""
        if isinstance(self.screen, HostScreen):
            self.say(f"{self.screen.key_of('quit')} quits.")

    async def action_back(self) -> None:
        """Go back by one step: on the screen, or to the previous screen."""
        if not (isinstance(self.screen, HostScreen) and self.screen.step_back()):
            await super().action_back()

    # --- the card ---

    def action_bind(self) -> None:
        self._open_swap("bind")

    def action_unbind(self) -> None:
        self._open_swap("unbind")

    def _open_swap(self, direction: Direction) -> None:
        """Open the swap screen, or first ask which card is the guest's."""
        from tui.screens.roles import RolesScreen
        from tui.screens.swap import SwapScreen

        view = self.session.live.view
        known = view.guest_gpu is not None or (view.swap is not None and not view.swap.ended)
        screen = SwapScreen(self.session, direction) if known else RolesScreen(self.session)
        open_screen(self, screen)

    def offer_recovery(self) -> None:
        """Show an interrupted swap, with what can be done about it."""
        from tui.screens.swap import SwapScreen

        if not isinstance(self.screen, SwapScreen):
            open_screen(self, SwapScreen(self.session))

    def action_keep(self) -> None:
        """Have the watch keep the card whose return it has announced."""
        pending = self.session.pending_return
        if pending is not None:
            self.run_worker(self._keep(pending))

    async def _keep(self, pending: PendingReturn) -> None:
        keeper = self.session.host.keeper
        try:
            await background(lambda: keeper.keep(pending.id))
        except HostError as error:
            self.say(str(error), warns=True)
        else:
            self.say(f"The watch is asked to keep {short(pending.address)} on vfio-pci.")

    # --- the guest ---

    def action_start(self) -> None:
        self._open_guest("start")

    def action_stop(self) -> None:
        self._open_guest("stop")

    def action_pause(self) -> None:
        self._open_guest("pause")

    def action_reboot(self) -> None:
        self._open_guest("reboot")

    def _open_guest(self, key: str) -> None:
        """Open the guest screen, or first ask which domain is the guest."""
        from tui.screens.guest import GuestScreen

        guest = self.session.live.view.guest
        if guest is None:
            self.action_roles()
        else:
            action = self.session.guest_action(key)
            open_screen(self, GuestScreen(self.session, action, guest.domain))

    def action_usb(self) -> None:
        """Show the USB devices."""
        from tui.screens.usb import UsbScreen

        open_screen(self, UsbScreen(self.session))

    # --- what is shown ---

    def action_roles(self) -> None:
        from tui.screens.roles import RolesScreen

        open_screen(self, RolesScreen(self.session))

    def action_doctor(self) -> None:
        from tui.screens.doctor import DoctorScreen

        if isinstance(self.screen, DoctorScreen):
            self.screen.examine()
        else:
            open_screen(self, self._kept(DoctorScreen))

    def action_groups(self) -> None:
        self._zoom_overview("groups")

    def action_events(self) -> None:
        self._zoom_overview("events")

    def _zoom_overview(self, panel: PanelId) -> None:
        """Show a panel of the overview full-screen; the same key goes back."""
        on_top = isinstance(self.screen, OverviewScreen)
        overview = self._overview()
        overview.zoom(None if on_top and overview.zoomed == panel else panel)

    def _overview(self) -> OverviewScreen:
        """Close everything that is open over the overview."""
        while not isinstance(self.screen, OverviewScreen):
            self.pop_screen()
        return self.screen

    def action_filter(self) -> None:
        """Filter the help, or the groups."""
        from tui.screens.help import HelpScreen

        if isinstance(self.screen, HelpScreen):
            self.screen.start_filter()
        else:
            self._overview().start_filter()

    def action_calls(self) -> None:
        from tui.screens.calls import CallsScreen

        open_screen(self, self._kept(CallsScreen))

    def action_device(self, address: str) -> None:
        """Show one PCI function."""
        from tui.screens.device import open_device

        open_device(self, address)

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(self._kept(HelpScreen))

    def _kept(self, kind: type[Kept]) -> Kept:
        """The screen of a kind, created when it is first shown and then kept: creating it takes as
        long as drawing it."""
        if not self.is_screen_installed(kind.NAME):
            self.install_screen(kind(self.session), kind.NAME)
        screen = self.get_screen(kind.NAME, kind)
        if screen.is_mounted:  # keys may close it, and open it again, before it is
            screen.renew()
        return screen

    # --- how it is shown ---

    def action_quiet(self) -> None:
        session = self.session
        session.set_quiet(not session.quiet)
        alone = ", the guest is left alone" if session.config.guest_readings == "auto" else ""
        self.say(
            f"Quiet: a reading every {session.interval_s:g} s{alone}"
            if session.quiet
            else "Quiet mode is off"
        )
        if isinstance(self.screen, HostScreen):
            self.screen.show()

    def action_theme(self, steps: int = 1) -> None:
        """Switch to another theme and remember it."""
        self.theme = chosen = next_theme(self.theme, steps)
        self.say(f"Theme: {NAMES[chosen]}")
        state.in_background(lambda: state.save(theme=chosen))
        if isinstance(self.screen, HostScreen):
            self.screen.show()

    def action_alert(self, alert: state.Alert) -> None:
        """Turn a way of reporting events on or off. One that is turned on is tried at once."""
        session = self.session
        on = alert not in session.alerts
        session.choose_alerts(
            *(each for each in get_args(state.Alert) if (each in session.alerts) != (each == alert))
        )
        if on:
            self.alert("events are told here", bell=alert == "bell", desktop=alert == "desktop")

    def action_settings(self) -> None:
        from tui.screens.settings import SettingsScreen

        if not isinstance(self.screen, SettingsScreen):
            open_screen(self, self._kept(SettingsScreen))

    # --- the palette ---

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for command in of_screen(screen.name or "", self.session.commands):
            if command.id in REMAPPED - {"palette"}:
                key = f" ({command.key_label})" if command.key_label else ""
                yield SystemCommand(
                    command.label,
                    f"{command.help}{key}",
                    partial(self.call_later, self.run_action, command.action),
                )
