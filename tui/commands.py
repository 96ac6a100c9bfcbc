"""The table of commands, from which bindings, footer, help and palette are made."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding


@dataclass(frozen=True)
class Command:
    """One thing the user can do: its keys, its Textual action, its label and help.

    ``screens`` names the screens on which it works; empty means all.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    screens: tuple[str, ...] = ()
    footer: bool = True

    @property
    def key_label(self) -> str:
        """The first key, as it is written on the screen."""
        key = self.keys.split(",")[0]
        return {"question_mark": "?", "slash": "/", "escape": "esc"}.get(key, key)


HOST_SCREENS = ("overview", "groups", "events", "details", "calls")

COMMANDS = (
    Command("bind", "b", "app.bind", "Bind",
            "Hand the guest GPU over to vfio-pci; shows the plan and asks first",
            screens=HOST_SCREENS),
    Command("unbind", "u", "app.unbind", "Unbind",
            "Take the guest GPU back; shows the plan and asks first",
            screens=HOST_SCREENS),
    Command("start", "s", "app.start", "Start",
            "Start the guest, and bind its card first if needed; shows the plan and asks first",
            screens=HOST_SCREENS),
    Command("stop", "x", "app.stop", "Stop",
            "Ask the guest to shut down; if it does not, the same key offers to force it off",
            screens=HOST_SCREENS),
    Command("pause", "p", "app.pause", "Pause",
            "Pause or resume the guest",
            screens=HOST_SCREENS, footer=False),
    Command("reboot", "r", "app.reboot", "Reboot",
            "Ask the guest to reboot",
            screens=HOST_SCREENS, footer=False),
    Command("roles", "w", "app.roles", "Roles",
            "Choose the guest's card, and the guest that may have it",
            screens=HOST_SCREENS, footer=False),
    Command("carry-out", "y", "screen.carry_out", "Confirm",
            "Carry out the plan",
            screens=("swap", "guest", "roles")),
    Command("despite", "Y", "screen.despite", "Accept the risk",
            "Carry out the plan although a check could not be made",
            screens=("swap", "guest")),
    Command("force", "x", "screen.force", "Force off",
            "For a guest that does not shut down, or whose start did not finish; asks first",
            screens=("guest",)),
    Command("resume", "p", "screen.resume", "Resume",
            "For a guest whose start did not finish; asks first",
            screens=("guest",)),
    Command("give-back", "u", "screen.give_back", "Unbind",
            "Give the card of a guest that is off back to the host",
            screens=("guest",)),
    Command("finish", "f", "screen.finish", "Finish",
            "Complete a swap that was interrupted",
            screens=("swap",)),
    Command("undo", "u", "screen.take_back", "Undo",
            "Restore every function to what it had before the interrupted swap, or a guest's old "
            "definition",
            screens=("swap", "roles")),
    Command("details", "enter", "app.details", "Details",
            "Everything known about the panel or the device under the cursor",
            screens=("overview", "groups"), footer=False),
    Command("groups", "g", "app.groups", "Groups",
            "The IOMMU groups on the whole screen",
            screens=("overview", "events", "details")),
    Command("doctor", "d", "app.doctor", "Doctor",
            "Every check of the host with its verdict and fix; the same key checks again",
            screens=(*HOST_SCREENS, "doctor")),
    Command("events", "e", "app.events", "Events",
            "What changed since the start, newest first",
            screens=("overview", "groups", "details"), footer=False),
    Command("filter", "slash", "app.filter", "Filter",
            "Show only the devices whose line contains a text",
            screens=("overview", "groups"), footer=False),
    Command("quiet", "z", "app.quiet", "Quiet",
            "Read less often and leave the guest alone, for while a game runs",
            screens=HOST_SCREENS, footer=False),
    Command("calls", "c", "app.calls", "Calls",
            "How often NVML, libvirt and the guest's agent are asked, and how each source performs",
            screens=("overview", "groups", "events", "details"), footer=False),
    Command("theme", "t", "app.theme", "Theme",
            "Dark, light, or the terminal's own colours", footer=False),
    Command("redraw", "ctrl+l", "app.redraw", "Redraw",
            "Draw the whole screen again, if another program has written over it",
            footer=False),
    Command("suspend", "ctrl+z", "app.suspend_process", "Shell",
            "Stop here and go to the shell; `fg` comes back", footer=False),
    Command("back", "escape", "app.back", "Back",
            "Return to the overview",
            screens=(*HOST_SCREENS[1:], "swap", "guest", "roles", "doctor", "help")),
    Command("help", "question_mark", "app.help", "Help",
            "The keys and what they do",
            screens=(*HOST_SCREENS, "swap", "guest", "roles", "doctor")),
    Command("palette", "ctrl+p", "app.command_palette", "Palette",
            "Find a command by its name", footer=False),
    Command("quit", "q,ctrl+q", "app.quit", "Quit",
            "Leave; nothing on the host changes"),
)  # fmt: skip


def bindings(screen: str) -> list[Binding]:
    """The key bindings of a screen, in the order of its footer."""
    return [
        Binding(
            command.keys,
            command.action,
            command.label,
            tooltip=command.help,
            show=command.footer,
            id=command.id,
            key_display=command.key_label,
        )
        for command in of_screen(screen)
    ]


def keys_of(*ids: str) -> frozenset[str]:
    """The keys of these commands, as Textual names them."""
    return frozenset(key for c in COMMANDS if c.id in ids for key in c.keys.split(","))


def of_screen(screen: str) -> tuple[Command, ...]:
    """The commands that work on a screen."""
    return tuple(c for c in COMMANDS if not c.screens or screen in c.screens)
