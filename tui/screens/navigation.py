"""What the keys that work on every screen do: which screen each opens, or why it does not.

A screen is imported when it is first opened: the first frame needs only the overview.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Mapping

from textual.actions import ActionParseResult
from textual.dom import DOMNode

from tui import state
from tui.model import Direction
from tui.screens.base import HostScreen, open_screen
from tui.session import Session
from tui.terminal.app import TerminalApp
from tui.terminal.ending import Ending
from tui.theme import next_theme


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
        """Answer Textual whether a key works: ``None`` dims it."""
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
            reason = self.screen.why_not(name.rpartition(".")[2])
            if reason is not None:
                self.notify(reason, severity="warning", markup=False)
                return True
        return await super().run_action(action, default_namespace, namespaces)

    # --- the card ---

    def action_bind(self) -> None:
        self._open_swap("bind")

    def action_unbind(self) -> None:
        self._open_swap("unbind")

    def _open_swap(self, direction: Direction) -> None:
        """Open the swap's screen, or ask first which card is the guest's."""
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
        """Open the guest's screen, or ask first which domain is the guest."""
        from tui.screens.guest import GuestScreen

        guest = self.session.live.view.guest
        if guest is None:
            self.action_roles()
        else:
            action = self.session.guest_action(key)
            open_screen(self, GuestScreen(self.session, action, guest.domain))

    # --- what is shown ---

    def action_roles(self) -> None:
        from tui.screens.roles import RolesScreen

        open_screen(self, RolesScreen(self.session))

    def action_doctor(self) -> None:
        from tui.screens.doctor import DoctorScreen

        if isinstance(self.screen, DoctorScreen):
            self.screen.examine()
        else:
            open_screen(self, DoctorScreen(self.session))

    def action_groups(self) -> None:
        from tui.screens.groups import GroupsScreen

        open_screen(self, GroupsScreen(self.session))

    def action_filter(self) -> None:
        from tui.screens.groups import GroupsScreen

        if isinstance(self.screen, GroupsScreen):
            self.screen.start_filter()
        else:
            open_screen(self, GroupsScreen(self.session, filtering=True))

    def action_events(self) -> None:
        from tui.screens.events import EventsScreen

        open_screen(self, EventsScreen(self.session))

    def action_calls(self) -> None:
        from tui.screens.calls import CallsScreen

        open_screen(self, CallsScreen(self.session))

    def action_details(self) -> None:
        from tui.screens.details import open_details

        open_details(self)

    def action_help(self) -> None:
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.session))

    # --- how it is shown ---

    def action_quiet(self) -> None:
        session = self.session
        session.set_quiet(not session.quiet)
        alone = ", the guest is left alone" if session.config.guest_readings == "auto" else ""
        self.notify(
            f"Quiet: a reading every {session.interval_s:g} s{alone}"
            if session.quiet
            else "Quiet mode is off",
            timeout=2.0,
        )
        if isinstance(self.screen, HostScreen):
            self.screen.show()

    def action_theme(self) -> None:
        self.theme = next_theme(self.theme)
        self.notify(f"Theme: {self.theme}", timeout=1.5)
        with contextlib.suppress(RuntimeError):  # no thread can be started
            threading.Thread(target=_save_theme, args=(self.theme,), daemon=True).start()


def _save_theme(theme: str) -> None:
    """Save the theme for the next start, if the home can be written to."""
    with contextlib.suppress(OSError):
        state.save(theme=theme)
