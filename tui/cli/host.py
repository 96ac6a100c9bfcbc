"""The configuration and the host that the command line selects."""

from __future__ import annotations

import argparse
import resource

from msgspec.structs import replace

from tui import config
from tui.cli.arguments import checked
from tui.cli.common import refused
from tui.cli.exits import DONE, UsageError
from tui.host import Host, HostError, HostKind
from tui.process import output

MIN_FILES = 64
"""Open files that the process needs: with fewer, GLib aborts a process that uses libvirt."""

_NOT_THIS_MACHINE: dict[HostKind, tuple[str, str]] = {
    "captured": ("a captured host cannot be changed", "run this on the host itself"),
    "simulated": (
        "a simulated host exists only while this command runs",
        "to try a swap, open `vfiotop --demo` and press b",
    ),
}  # fmt: skip


def load_settings(arguments: argparse.Namespace) -> config.Config:
    """Load the configuration and apply the command-line options on top."""
    settings = config.load(arguments.config)
    if arguments.root is not None and arguments.config is None:
        # The user's configuration names the card and guest of this machine, not of a captured one.
        settings = replace(settings, guest_gpu=None, guest=None)
    if arguments.connect is not None:
        uri = checked("--connect", config.libvirt_uri, arguments.connect)
        settings = replace(settings, connect=uri)
    elif arguments.config is not None:  # the commands that we suggest must name the same libvirt
        arguments.connect = settings.connect
    if arguments.interval is not None:
        seconds = checked("--interval", config.interval, arguments.interval)
        settings = replace(settings, interval=seconds)
    return settings


def open_host(arguments: argparse.Namespace, settings: config.Config) -> Host:
    """Open the host that the options name. Only the backends of that host are imported."""
    if arguments.demo is not None and arguments.root is not None:
        raise UsageError("--demo and --root cannot be used together; choose one")
    if arguments.demo is not None:
        try:
            return _demo(arguments.demo, readonly=arguments.readonly)
        except HostError as error:
            raise UsageError(_not_a_scenario(arguments) or str(error)) from error
    if arguments.root is not None:
        from tui.host.captured import captured_host  # noqa: PLC0415

        return captured_host(str(arguments.root))
    host = _real(settings, readonly=arguments.readonly)
    if arguments.demo_if_no_gpu and not _has_gpu(host):
        host.close()
        simulated = _demo("gaming", readonly=arguments.readonly)
        return replace(simulated, banner="No GPU here: simulated host")
    return host


def _real(settings: config.Config, *, readonly: bool) -> Host:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < MIN_FILES:
        raise HostError(
            "the limit on open files is too low", fix=f"raise it (`ulimit -n {MIN_FILES}`)"
        )
    from tui.host.real import AgentSettings, real_host  # noqa: PLC0415
    from tui.swap.launcher import Launcher  # noqa: PLC0415

    mover = Launcher(settings.elevation)
    wish = settings.guest_readings
    asking = AgentSettings(wish != "off", wish == "on", settings.guest_interval)
    return real_host(settings.connect, readonly=readonly, mover=mover, agent_settings=asking)


def _demo(scenario: str, *, readonly: bool) -> Host:
    from tui.host.demo.host import demo_host  # noqa: PLC0415

    host = demo_host(scenario)
    return host.as_readonly() if readonly else host


def _not_a_scenario(arguments: argparse.Namespace) -> str | None:
    """What to type if ``--demo`` took a command or an argument for its scenario; ``None`` if it did
    not."""
    from tui.host.demo.host import SCENARIOS  # noqa: PLC0415

    word, command = output.short(arguments.demo, 40), arguments.command
    if command is None and word in arguments.commands and "demo" in refused(word):
        return f"“{word}” is a command, not a scenario: leave out --demo"
    if command is None and word in arguments.commands:
        typed = "plan bind" if word == "plan" else word
        return (
            f"“{word}” is a command, not a scenario: write `vfiotop {typed} --demo` or "
            f"`vfiotop --demo gaming {typed}`"
        )
    given = vars(arguments)
    if any(name in given and given[name] is None for name in ("direction", "address", "domain")):
        return (
            f"“{word}” is not a scenario: put --demo last, or name one of {', '.join(SCENARIOS)} "
            "after it"
        )
    return None


def _has_gpu(host: Host) -> bool:
    """Whether sysfs lists a GPU. A container may have no sysfs, or one without PCI."""
    try:
        return bool(host.pci.read().gpus)
    except HostError:
        return False


def list_scenarios() -> int:
    """Print the scenarios of ``--demo``, one a line."""
    from tui.host.demo.host import SCENARIOS  # noqa: PLC0415

    for name, text in SCENARIOS.items():
        output.say(f"{name:<10} {text}")
    return DONE


def require_this_machine(host: Host) -> None:
    """Raise ``HostError`` if the host is not this machine, which the journal is about."""
    if host.kind in _NOT_THIS_MACHINE:
        sentence, fix = _NOT_THIS_MACHINE[host.kind]
        raise HostError(sentence, fix)
