"""Reads the user's configuration (TOML). vfiotop never writes it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unicodedata import category

from msgspec import Struct
from msgspec.structs import replace

from tui.keymap import Keys
from tui.keymap import checked as checked_keys
from tui.model.address import is_address
from tui.model.endpoint import endpoint
from tui.model.errors import VfiotopError
from tui.model.watch import PAUSE_RANGE, AfterStop, AtBoot, WatchPolicy
from tui.process.files import read_file
from tui.process.folders import config_folder
from tui.process.output import short
from tui.process.privileges import only_root_can_change
from tui.rules.libvirt_uri import SYSTEM, why_not_as_root

DEFAULT_INTERVAL = 1.0
INTERVAL_RANGE = (0.2, 3600.0)
"""Smallest and largest interval in seconds; shorter ones cost more than they show."""

ELEVATIONS = ("sudo", "doas", "run0", "pkexec")
"""Programs through which an ordinary user may run the privileged half, the most common first."""

GUEST_READINGS = ("auto", "on", "off")
"""Whether to read a card through its running guest: ``auto`` pauses that in quiet mode, ``on``
does not."""

DEFAULT_GUEST_INTERVAL = 5.0
DEFAULT_PAUSE = 30.0

MAX_ARGUMENTS = 32
"""The most words in ``on_event``: a program and its arguments."""

MAX_BYTES = 32 * 1024
MAX_LINE = 512
"""Limits on what is passed to tomllib, which takes quadratic time for a key of many parts: within
these, at most a quarter of a second."""

REASON_LIMIT, PATH_LIMIT = 300, 200
"""Characters of an error's reason, which may quote the file, and of its path."""

MAX_TEXT = 1024
"""Characters of a string value. No valid name or URI is longer."""

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}")


class ConfigError(VfiotopError):
    """The configuration cannot be used; the sentence names the file and what is wrong."""


class Config(Struct, frozen=True):
    """The settings in ``file``. ``None``: not set, vfiotop decides. ``keys`` is its table
    ``[keys]``; the fields after it are its table ``[watch]``."""

    connect: str = SYSTEM
    interval: float = DEFAULT_INTERVAL
    guest_gpu: str | None = None
    guest: str | None = None
    theme: str | None = None
    elevation: str | None = None
    file: Path | None = None
    guest_readings: str = "auto"
    guest_interval: float = DEFAULT_GUEST_INTERVAL
    keys: Keys = ()
    after_stop: AfterStop = "keep"
    at_boot: AtBoot = "keep"
    pause: float = DEFAULT_PAUSE
    on_event: tuple[str, ...] = ()
    metrics: str = ""
    metrics_token_file: str | None = None
    history: bool = False

    @property
    def watch_policy(self) -> WatchPolicy:
        """What the watch does by itself."""
        return WatchPolicy(self.after_stop, self.at_boot, self.pause)


def address(text: str) -> str:
    """Complete a PCI address: ``01:00.0`` is ``0000:01:00.0``. Raises ``ValueError``."""
    for full in (text.lower(), f"0000:{text.lower()}"):
        if is_address(full):
            return full
    raise ValueError(f"“{short(text)}” is not a PCI address such as 01:00.0")


def interval(value: object) -> float:
    """Seconds within ``INTERVAL_RANGE``, from a number or its digits. Raises ``ValueError``."""
    low, high = INTERVAL_RANGE
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"the interval must be a number of seconds from {low} to {high:.0f}")
    return float(value)


def pause(value: object) -> float:
    """Seconds within ``PAUSE_RANGE``. Raises ``ValueError``."""
    low, high = PAUSE_RANGE
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"pause must be a number of seconds from {low:.0f} to {high:.0f}")
    return float(value)


def program(value: object) -> tuple[str, ...]:
    """A program by its full path, and its arguments. Raises ``ValueError``."""
    words = value if isinstance(value, list) else None
    if words is None or not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ValueError("on_event must be a list of strings: a program and its arguments")
    if len(words) > MAX_ARGUMENTS or any(len(word) > MAX_TEXT for word in words):
        raise ValueError("on_event is longer than a command needs")
    if words and not words[0].startswith("/"):
        raise ValueError(f"on_event needs the full path of its program, not “{short(words[0])}”")
    return tuple(words)


def metrics(text: str) -> str:
    """Check an endpoint of the metrics and return it unchanged. Raises ``ValueError``."""
    try:
        endpoint(text)
    except ValueError as error:
        raise ValueError(f"metrics: {error}") from error
    return text


def full_path(text: str) -> str:
    """Check the full path of a file and return it unchanged. Raises ``ValueError``."""
    if not text.startswith("/") or not text.isprintable() or len(text) > MAX_TEXT:
        raise ValueError(f"“{short(text)}” is not the full path of a file")
    return text


def name(text: str) -> str:
    """Check a domain's name and return it unchanged, since names may look alike. Raises
    ``ValueError`` for one that XML cannot hold."""
    if not 0 < len(text) <= MAX_TEXT or any(category(c) in ("Cc", "Cs") for c in text):
        raise ValueError(f"“{short(text)}” is not a name")
    return text


def libvirt_uri(text: str) -> str:
    """Check that this user may open a libvirt URI. Raises ``ValueError``."""
    refusal = why_not_as_root(text) if os.geteuid() == 0 else None
    if refusal is not None:
        raise ValueError(refusal)
    if not text.isprintable() or not 0 < len(text) <= MAX_TEXT:
        raise ValueError(f"“{short(text)}” is not a URI such as {SYSTEM}")
    return text


def load(path: Path | None = None) -> Config:
    """Load the configuration at ``path``, or the one in the XDG folder if there is one. Raises
    ``ConfigError``."""
    place = path or config_folder() / "config.toml"
    try:
        data = read_file(place, MAX_BYTES)
        if data and os.geteuid() == 0 and not only_root_can_change(place.absolute()):
            raise ValueError(
                "users other than root can change it, so root ignores it; copy it to "
                f"{config_folder()} as root"
            )
        text = data.decode("utf-8-sig")
        if max(map(len, text.split("\n"))) > MAX_LINE:
            raise ValueError(f"a line is longer than {MAX_LINE} characters")
        import tomllib  # noqa: PLC0415 - takes 3 ms, and many users have no file

        return replace(parse(tomllib.loads(text)), file=place)
    except (FileNotFoundError, NotADirectoryError):
        if path is None:
            return Config()
        why = "there is no such file"
    except OSError as error:
        another = "; choose another with --config" if path is None else ""
        why = f"cannot be read: {error.strerror}{another}"
    except RecursionError:
        why = "nested too deeply"
    except ValueError as error:  # not UTF-8, not TOML, or an invalid value
        why = short(str(error), REASON_LIMIT)
    raise ConfigError(f"{short(str(place), PATH_LIMIT)}: {why}")


class Setting(Struct, frozen=True):
    """A key of the configuration, with an example value. ``unset`` says what is used without the
    key if ``Config`` has no default. ``check`` returns the value as ``Config`` has it, or raises
    ``ValueError``. ``choices`` are the only values allowed. ``table`` is the table that has the
    key."""

    name: str
    means: str
    example: str | float | bool | tuple[str, ...]
    check: Callable[[Any], Any]
    unset: str = ""
    choices: tuple[str, ...] = ()
    table: str | None = None

    @property
    def default(self) -> Any:
        """Its value in ``Config`` if it is not set."""
        return getattr(Config(), self.name)


_RANGE = "from {} to {:.0f}".format(*INTERVAL_RANGE)

SETTINGS = (
    Setting("guest", "The domain that may have the card, by name or UUID.", "win11", name,
            unset="the one chosen with w, else the only domain that lists the card"),
    Setting("guest_gpu", "The PCI address of the guest's card.", "01:00.0", address,
            unset="the one chosen with w, else the one that a domain lists, else the only one "
            "that does not drive the host's display"),
    Setting("connect", "The libvirt to connect to, as a URI.", "qemu:///session", libvirt_uri),
    Setting("interval", f"Seconds between two readings, {_RANGE}.", 2, interval),
    Setting("guest_readings",
            "Whether to read an NVIDIA card in a running guest, through its agent: auto (not in "
            "quiet mode), on or off.", "on", str, choices=GUEST_READINGS),
    Setting("guest_interval", f"Seconds between two of these readings, at least: {_RANGE}.",
            10, interval),
    Setting("elevation", "How an ordinary user becomes root to move a card: sudo, doas, run0 or "
            "pkexec.", "doas", str, unset="the first of these that is installed",
            choices=ELEVATIONS),
    Setting("theme",
            "The colours: vfiotop-dark, vfiotop-light, vfiotop-contrast, terminal-dark or "
            "terminal-light.", "vfiotop-light", str,
            unset="the one chosen on the screen, else vfiotop-dark, or terminal-dark on a Linux "
            "console"),
    Setting("after_stop", "What the watch does with the card when the guest that has it has "
            "ended: keep it on vfio-pci, or unbind it, so that it returns to the host.", "unbind",
            str, choices=("keep", "unbind"), table="watch"),
    Setting("pause", "Seconds from the end of the guest to the return of its card. A guest that "
            "starts cancels it.", 60, pause, table="watch"),
    Setting("at_boot", "What the watch does with the card while the host boots, before the "
            "display manager starts: keep it where it is, or bind it.", "bind",
            str, choices=("keep", "bind"), table="watch"),
    Setting("on_event", "A program that gets each event as JSON on its standard input, one at a "
            "time, with its arguments.", ("/usr/local/bin/tell-me", "--quiet"), program,
            table="watch"),
    Setting("metrics", "Where the watch serves metrics for Prometheus: a loopback address with a "
            "port, or unix: and the path of a socket. Empty: nowhere.", "127.0.0.1:9835", metrics,
            table="watch"),
    Setting("metrics_token_file", "A file that only root can read, with the token that a "
            "client must present.", "/etc/vfiotop/metrics-token", full_path,
            unset="no token is asked for", table="watch"),
    Setting("history", "Whether the watch keeps readings of the last 24 hours in "
            "/var/lib/vfiotop. It then reads the cards once a second, as a screen does.", True,
            bool, table="watch"),
)  # fmt: skip
"""Every key of the configuration except those of the table ``[keys]``."""

TABLES = ("watch", "keys")
"""The tables of the configuration."""

KEYS_MEAN = (
    "The keys of each command. Several are separated by commas; an empty string takes the "
    "command's keys away."
)
"""What the table ``[keys]`` means."""


def parse(table: dict[str, object]) -> Config:
    """Build the configuration from a TOML table. Raises ``ValueError`` naming the bad key."""
    watch = table.get("watch", {})
    if not isinstance(watch, dict):
        raise ValueError("watch must be a table: a line [watch], then its keys")
    found = _values(table, None, TABLES) | _values(watch, "watch")
    return Config(**found, keys=checked_keys(table.get("keys", {})))


def _values(table: dict[str, object], name: str | None, also: tuple[str, ...] = ()) -> Any:
    """The values of the settings in a table, which may have the keys ``also``."""
    settings = {setting.name: setting for setting in SETTINGS if setting.table == name}
    unknown = sorted(set(table) - set(settings) - set(also))
    if unknown:
        where = f" in [{name}]" if name else ""
        valid = ", ".join(sorted({*settings, *also}))
        raise ValueError(f"unknown key “{short(unknown[0])}”{where}; valid keys are {valid}")
    return {key: _value(settings[key], value) for key, value in table.items() if key in settings}


def _value(setting: Setting, value: object) -> Any:
    may_be_empty = setting.default == ""
    if isinstance(setting.example, str) and not (
        isinstance(value, str) and (value or may_be_empty)
    ):
        raise ValueError(f"{setting.name} must be a string in quotes")
    if isinstance(setting.example, bool) and not isinstance(value, bool):
        raise ValueError(f"{setting.name} must be true or false")
    if setting.choices and value not in setting.choices:
        raise ValueError(f"{setting.name} must be one of {', '.join(setting.choices)}")
    return setting.check(value)
