"""The table of commands, from which bindings, footer, help and palette are made.

The configuration is checked against it, so Textual is imported only to make bindings.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from textual.binding import Binding

Aim = Literal[
    "Move the card", "Run the guest", "Answer a plan", "Look around", "Find out why", "The program"
]
"""What a user may be looking for in the help."""

AIMS: tuple[Aim, ...] = get_args(Aim)
"""In the order of the help."""

SIGNS = {
    "exclamation_mark": "!", "quotation_mark": '"', "number_sign": "#", "dollar_sign": "$",
    "percent_sign": "%", "ampersand": "&", "apostrophe": "'", "left_parenthesis": "(",
    "right_parenthesis": ")", "asterisk": "*", "plus": "+", "comma": ",", "minus": "-",
    "full_stop": ".", "slash": "/", "colon": ":", "semicolon": ";", "less_than_sign": "<",
    "equals_sign": "=", "greater_than_sign": ">", "question_mark": "?", "at": "@",
    "left_square_bracket": "[", "backslash": "\\", "right_square_bracket": "]",
    "circumflex_accent": "^", "underscore": "_", "grave_accent": "`", "left_curly_bracket": "{",
    "vertical_line": "|", "right_curly_bracket": "}", "tilde": "~",
}  # fmt: skip
"""The keys that Textual names in words, and what they type."""

SHOWN_KEYS = SIGNS | {"escape": "esc", "left": "←", "right": "→"}
"""The keys that the screen does not show by Textual's name."""


class Command(Struct, frozen=True):
    """One thing the user can do: its keys, its Textual action, its label and help.

    ``screens`` names the screens on which it works; empty means all. An action with ``{key}`` is
    bound once for each key. A footer that is too short drops the highest ``rank`` first; 0 is never
    dropped, ``None`` never shown. ``edge``: a panel's frame shows it too, so the footer may drop it
    before the others. ``first``: while it works, its keys do not move through lists, as they
    otherwise do.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    aim: Aim
    screens: tuple[str, ...] = ()
    rank: int | None = None
    edge: bool = False
    shown_keys: str = ""
    first: bool = False

    @property
    def each_key(self) -> tuple[str, ...]:
        """Its keys as Textual names them; none if the configuration takes them away."""
        return tuple(key for key in self.keys.split(",") if key)

    @property
    def key_label(self) -> str:
        """The first key as the screen shows it; empty without one."""
        return self.shown_keys or key_name(self.keys.lstrip(",").partition(",")[0])


@lru_cache(maxsize=256)
def key_name(key: str) -> str:
    """A key as the screen shows it: ``?`` for ``question_mark``."""
    return SHOWN_KEYS.get(key, key.replace("ctrl+", "^"))


HOST_SCREENS = ("overview", "device", "calls")
"""The screens that show the host and nothing else."""

PLAN_SCREENS = ("swap", "guest", "roles", "usb")
"""The screens on which the user confirms something."""

CARD, GUEST, PLAN, LOOK, WHY, PROGRAM = AIMS

COMMANDS = (
    Command("bind", "b", "app.bind", "Bind",
            "Hand the guest GPU to vfio-pci; asks first",
            CARD, HOST_SCREENS, rank=7, edge=True),
    Command("unbind", "u", "app.unbind", "Unbind",
            "Take the guest GPU back; asks first",
            CARD, HOST_SCREENS, rank=7, edge=True),
    Command("keep", "k", "app.keep", "Keep",
            "Keep the card on vfio-pci while the watch counts down to its return; at other times "
            "it moves up in lists",
            CARD, (*HOST_SCREENS, *PLAN_SCREENS, "doctor", "help", "settings"), first=True),
    Command("start", "s", "app.start", "Start",
            "Start the guest; binds its card first if needed",
            GUEST, HOST_SCREENS, rank=2),
    Command("stop", "x", "app.stop", "Stop",
            "Ask the guest to shut down; if it does not, force it off",
            GUEST, HOST_SCREENS, rank=2),
    Command("pause", "p", "app.pause", "Pause",
            "Pause or resume the guest",
            GUEST, HOST_SCREENS, rank=10, edge=True),
    Command("reboot", "r", "app.reboot", "Reboot",
            "Ask the guest to reboot",
            GUEST, HOST_SCREENS),
    Command("usb", "v", "app.usb", "USB",
            "Lend a USB device to the running guest, or take it back; asks first",
            GUEST, HOST_SCREENS, rank=11),
    Command("roles", "w", "app.roles", "Roles",
            "Choose the guest GPU and its guest",
            CARD, HOST_SCREENS),
    Command("carry-out", "y", "screen.carry_out", "Confirm",
            "Carry out the plan",
            PLAN, PLAN_SCREENS, rank=0),
    Command("more", "space", "screen.more", "More",
            "Show the rest of the plan",
            PLAN, ("swap", "guest", "usb"), rank=0),
    Command("despite", "Y", "screen.despite", "Accept the risk",
            "Continue although a check could not be made or the host uses the device",
            PLAN, ("swap", "guest", "usb"), rank=0),
    Command("force", "x", "screen.force", "Force off",
            "Power off a guest that did not stop or finish its start",
            PLAN, ("guest",), rank=1),
    Command("resume", "p", "screen.resume", "Resume",
            "Resume a guest whose start did not finish",
            PLAN, ("guest",), rank=1),
    Command("give-back", "u", "screen.give_back", "Unbind",
            "Return the card of a guest that is off",
            PLAN, ("guest",), rank=1),
    Command("start-next", "s", "screen.start_guest", "Start",
            "Start the guest with the card that is bound now",
            PLAN, ("swap",), rank=1),
    Command("finish", "f", "screen.finish", "Finish",
            "Complete a swap that was interrupted",
            PLAN, ("swap",), rank=1),
    Command("undo", "u", "screen.take_back", "Undo",
            "Undo an interrupted swap, or restore a guest's old definition",
            PLAN, ("swap", "roles"), rank=1),
    Command("checks", "d", "screen.checks", "Checks",
            "Show every check of the plan, or fold them",
            PLAN, ("swap", "guest", "usb"), rank=3),
    Command("paths", "v", "screen.paths", "Full paths",
            "Show the paths of the plan in full, or below /sys/bus/pci",
            PLAN, ("swap", "guest"), rank=4),
    Command("panel", "1,2,3,4,5", "screen.panel('{key}')", "Panel",
            "Focus a panel; press again for full screen",
            LOOK, ("overview",), rank=3, shown_keys="1-5"),
    Command("zoom", "0", "screen.zoom", "Zoom",
            "Show the focused panel full screen, and back",
            LOOK, ("overview",), rank=4),
    Command("open", "enter", "screen.open", "Open",
            "Open the focused panel or the device at the cursor",
            LOOK, ("overview",)),
    Command("groups", "g", "app.groups", "Groups",
            "All IOMMU groups, full screen",
            WHY, HOST_SCREENS),
    Command("events", "e", "app.events", "Events",
            "What changed and by whom, newest first",
            WHY, HOST_SCREENS),
    Command("layout", "l", "screen.layout", "Layout",
            "Switch the layout: full, gaming, groups, phone",
            LOOK, ("overview",), rank=5),
    Command("series", "m", "screen.series", "Series",
            "Change the series in the focused panel's lower graph",
            LOOK, ("overview",), rank=9, edge=True),
    Command("cursor", "left,right", "screen.move_cursor('{key}')", "Time cursor",
            "Move the time cursor in a full-screen panel",
            LOOK, ("overview",), shown_keys="←→"),
    Command("span", "plus,equals_sign,minus", "screen.span('{key}')", "Span",
            "Show 3 min to 24 h in a full-screen panel",
            LOOK, ("overview",), shown_keys="+-"),
    Command("filter", "slash", "app.filter", "Filter",
            "Show only lines that contain what you type",
            LOOK, ("overview", "help")),
    Command("doctor", "d", "app.doctor", "Checks",
            "Check the host: every verdict, and how to fix it",
            WHY, (*HOST_SCREENS, "doctor"), rank=8),
    Command("copy", "y", "screen.copy", "Copy fix",
            "Copy the fix of the selected check",
            WHY, ("doctor",), rank=1),
    Command("fold", "enter", "screen.fold", "List them",
            "List the checks of a line one by one, or fold them again",
            WHY, ("doctor",), rank=2),
    Command("calls", "c", "app.calls", "Calls",
            "How often NVML, libvirt and the guest agent are called, and how long each takes",
            WHY, ("overview", "device")),
    Command("quiet", "z", "app.quiet", "Quiet",
            "Read less often and leave the guest alone while a game runs",
            PROGRAM, HOST_SCREENS),
    Command("settings", "o", "app.settings", "Settings",
            "Theme, layout, quiet mode, and how events are announced",
            PROGRAM, HOST_SCREENS, rank=6),
    Command("theme", "t", "app.theme", "Theme",
            "Dark, light, high contrast, the terminal's colours",
            PROGRAM),
    Command("redraw", "ctrl+l", "app.redraw", "Redraw",
            "Redraw the screen if another program wrote over it",
            PROGRAM),
    Command("suspend", "ctrl+z", "app.suspend_process", "Shell",
            "Suspend vfiotop and return to the shell; `fg` resumes it",
            PROGRAM),
    Command("palette", "ctrl+p", "app.command_palette", "Palette",
            "Find a command by name",
            PROGRAM),
    Command("back", "escape", "app.back", "Back",
            "Go back one step",
            LOOK, (*HOST_SCREENS, *PLAN_SCREENS, "doctor", "help", "settings"), rank=1),
    Command("help", "question_mark", "app.help", "Help",
            "The keys and what they do",
            PROGRAM, (*HOST_SCREENS, *PLAN_SCREENS, "doctor", "settings"), rank=0),
    Command("quit", "q,ctrl+q", "app.quit", "Quit",
            "Quit vfiotop; guests and swaps keep running",
            PROGRAM, rank=0),
)  # fmt: skip


def bindings(screen: str) -> list[Binding]:
    """The key bindings of a screen as in the table, in the order of its footer. Textual's keymap
    has the keys of the configuration."""
    return [binding for command in of_screen(screen) for binding in _bindings(command)]


def _bindings(command: Command) -> list[Binding]:
    from textual.binding import Binding  # noqa: PLC0415

    each = command.keys.split(",") if "{key}" in command.action else [command.keys]
    return [
        Binding(
            keys,
            command.action.format(key=keys),
            command.label,
            tooltip=command.help,
            show=command.rank is not None,
            id=command.id if len(each) == 1 else None,
            priority=command.first,
            key_display=command.key_label,
        )
        for keys in each
    ]


def mapped(keys: Mapping[str, str]) -> tuple[Command, ...]:
    """The commands with the keys that the user's configuration gives them, by id."""
    return tuple(replace(c, keys=keys[c.id]) if c.id in keys else c for c in COMMANDS)


KEYS = {command.id: command.key_label for command in COMMANDS}
"""The table's keys as the screen shows them, by command."""

REMAPPED = frozenset(c.id for c in COMMANDS if "{key}" not in c.action)
"""The ids of commands whose keys the configuration may change."""


def keys_of(commands: tuple[Command, ...], *ids: str) -> frozenset[str]:
    """The keys of these commands, as Textual names them."""
    return frozenset(key for c in commands if c.id in ids for key in c.each_key)


def of_screen(screen: str, commands: tuple[Command, ...] = COMMANDS) -> tuple[Command, ...]:
    """The commands that work on a screen."""
    return tuple(c for c in commands if not c.screens or screen in c.screens)


def clashes(commands: tuple[Command, ...]) -> list[tuple[str, Command, Command]]:
    """The keys that two commands of one screen share, with both."""
    screens = {screen for command in commands for screen in command.screens}
    found = []
    for screen in sorted(screens):
        taken: dict[str, Command] = {}
        for command in of_screen(screen, commands):
            for key in command.each_key:
                other = taken.setdefault(key, command)
                if other is not command and (key, other, command) not in found:
                    found.append((key, other, command))
    return found
