"""The settings: those that can be changed here, and those of the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, get_args

from textual.binding import BindingType
from textual.containers import Container
from textual.widget import Widget

from tui.commands import bindings
from tui.config import Config
from tui.keymap import described
from tui.live import Live
from tui.process.output import printable, short
from tui.screens.arrangement import LAYOUTS, Layout, size_class
from tui.screens.panel_screen import PanelScreen
from tui.screens.watch_words import watch_words
from tui.state import Alert
from tui.theme import NAMES
from widgets.settings_panel import Setting, SettingsPanel

LAYOUT_WORDS: dict[Layout, str] = {
    "full": "Cards, guest, groups and events.",
    "gaming": "The guest's card and its vCPUs get the room; no groups.",
    "groups": "The IOMMU groups get the room; a line for each card.",
    "phone": "One panel below the other, as on a small terminal.",
}

GUEST_READINGS_WORDS = {
    "auto": "Of a card in a guest, through its agent; not in quiet mode.",
    "on": "Of a card in a guest, through its agent; in quiet mode too.",
    "off": "A card in a guest is not read.",
}

ALERTS: dict[Alert, tuple[str, str]] = {
    "bell": ("Bell", "Ring the terminal's bell for warnings, failures and the end of a swap."),
    "desktop": ("Notification", "Show the same on the desktop, if the terminal can: one comes as "
                "you switch it on."),
}  # fmt: skip

PATH_LIMIT = 60
"""Maximum characters of the configuration's path."""


class SettingsScreen(PanelScreen):
    """Each change takes effect at once. The theme, the layouts and how events are reported are kept
    in the state file; the configuration is the user's and is never written."""

    NAME = "settings"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(NAME)]
    AUTO_FOCUS = "SettingsPanel"

    def body(self) -> Iterable[Widget]:
        with Container(id="body"):
            yield SettingsPanel(glyphs=self.glyphs)

    def draw(self, live: Live) -> None:
        self.query_one(SettingsPanel).show([*self._own(), *self._configured()])

    async def on_settings_panel_changed(self, event: SettingsPanel.Changed) -> None:
        """Change a setting."""
        if event.setting == "layout":
            at = LAYOUTS.index(self._layout) + event.steps
            self.session.choose_layout(size_class(self.app.size), LAYOUTS[at % len(LAYOUTS)])
        elif event.setting in get_args(Alert):
            await self.app.run_action(f"app.alert('{event.setting}')")
        else:
            theme = event.setting == "theme"
            await self.app.run_action(f"app.theme({event.steps})" if theme else "app.quiet")
        self.show()

    @property
    def _layout(self) -> Layout:
        return self.session.layouts.get(size_class(self.app.size), LAYOUTS[0])

    def _own(self) -> Iterator[Setting]:
        """The settings that are changed here."""
        config, (width, height) = self.session.config, self.app.size
        kept = "kept for the next start"
        if config.theme is not None:
            kept = f"the next start uses theme in {_place(config)}"
        yield _choice(
            "theme", "Theme", NAMES.get(self.app.theme, self.app.theme),
            f"The colours of every screen; {kept}.", list(NAMES.values()),
        )  # fmt: skip
        yield _choice(
            "layout", "Layout", self._layout, LAYOUT_WORDS[self._layout], LAYOUTS,
            scope=f"{width}x{height} and similar",
        )  # fmt: skip
        yield _choice(
            "quiet", "Quiet mode", "on" if self.session.quiet else "off",
            "Read less often and leave the guest alone; this run only.", ("off", "on"),
        )  # fmt: skip
        for alert, (name, sentence) in ALERTS.items():
            told = "on" if alert in self.session.alerts else "off"
            yield _choice(alert, name, told, sentence, ("off", "on"))

    def _configured(self) -> Iterator[Setting]:
        """The settings that only the configuration changes."""
        config = self.session.config
        yield Setting(
            "guest_readings", "Guest readings",
            f"{config.guest_readings}, at most every {config.guest_interval:g} s",
            f"{GUEST_READINGS_WORDS[config.guest_readings]} "
            + _origin(config, "guest_readings", "guest_interval"),
        )  # fmt: skip
        yield Setting(
            "interval", "Interval", f"{config.interval:g} s",
            f"The time between two readings. {_origin(config, 'interval', option='--interval')}",
        )  # fmt: skip
        yield Setting(
            "keys", "Keys", ", ".join(described(config.keys)) or "as in the help",
            _origin(config, "keys"),
        )  # fmt: skip
        watch = watch_words(self.session)
        if watch is not None:
            yield Setting("watch", "Watch", watch.does, watch.sentence)


def _choice(
    id: str, name: str, value: str, sentence: str, values: Sequence[str], *, scope: str = ""
) -> Setting:
    place = values.index(value) + 1 if value in values else 0
    return Setting(id, name, value, sentence, place, len(values), scope)


def _origin(config: Config, *keys: str, option: str = "") -> str:
    """Where settings come from, and therefore where to change them."""
    names = " and ".join("[keys]" if key == "keys" else key for key in keys)
    if all(getattr(config, key) == getattr(Config(), key) for key in keys):
        verb = "change" if len(keys) > 1 else "changes"
        return f"The default; {names} in {_place(config)} {verb} it."
    places = [f"{names} in {_place(config)}"] if config.file is not None else []
    return f"Set by {' or '.join([*places, *([option] if option else [])])}."


def _place(config: Config) -> str:
    """The path of the configuration, in a form that is safe to draw."""
    if config.file is None:
        return "config.toml"
    path = printable(str(config.file))
    home = os.environ.get("HOME", "")
    if home and path.startswith(f"{home}/"):
        path = f"~{path.removeprefix(home)}"
    return short(path, PATH_LIMIT)
