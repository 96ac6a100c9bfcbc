"""The user's configuration (TOML), which is only read."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from unicodedata import category

from tui.model.address import is_address
from tui.model.errors import VfiotopError
from tui.process.files import read_file
from tui.process.folders import config_folder
from tui.process.output import short
from tui.process.privileges import only_root_can_change
from tui.rules.libvirt_uri import SYSTEM, why_not_as_root

DEFAULT_INTERVAL = 1.0
INTERVAL_RANGE = (0.2, 3600.0)
"""Seconds between readings that make sense; below, reading costs more than it tells."""

ELEVATIONS = ("sudo", "doas", "run0")
"""The programs that may make an ordinary user root."""

GUEST_READINGS = ("auto", "on", "off")
"""Whether a running guest is asked for its card: ``auto`` leaves it alone in quiet mode,
``on`` does not."""

DEFAULT_GUEST_INTERVAL = 5.0

MAX_BYTES = 32 * 1024
MAX_LINE = 512
"""Bounds of what tomllib gets to see: it takes the square of the time for a key of many parts,
which is then a quarter of a second at most."""

REASON_LIMIT, PATH_LIMIT = 300, 200
"""Characters of an error: of its reason, which quotes from the file, and of a path."""

MAX_TEXT = 1024
"""Characters of a value that is a text. No name and no URI that works is longer."""

_SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9}")


class ConfigError(VfiotopError):
    """A configuration that cannot be used: which file, what is wrong, what to write."""


@dataclass(frozen=True)
class Config:
    """What the user fixed, in ``file``. ``None``: not said, vfiotop finds it out."""

    connect: str = SYSTEM
    interval: float = DEFAULT_INTERVAL
    guest_gpu: str | None = None
    guest: str | None = None
    theme: str | None = None
    elevation: str | None = None
    file: Path | None = None
    guest_readings: str = "auto"
    guest_interval: float = DEFAULT_GUEST_INTERVAL


def address(text: str) -> str:
    """A PCI address in full, lower case: ``01:00.0`` is ``0000:01:00.0``. ``ValueError`` if not."""
    for full in (text.lower(), f"0000:{text.lower()}"):
        if is_address(full):
            return full
    raise ValueError(f"“{short(text)}” is not a PCI address such as 01:00.0")


def interval(value: object) -> float:
    """Seconds between readings within ``INTERVALS``, from a number or the digits of one.
    ``ValueError`` if not."""
    low, high = INTERVAL_RANGE
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"the interval must be a number of seconds from {low} to {high:.0f}")
    return float(value)


def name(text: str) -> str:
    """A name as it is, since names may look alike. ``ValueError`` for what XML cannot hold, so
    that no domain is called that."""
    if not 0 < len(text) <= MAX_TEXT or any(category(c) in ("Cc", "Cs") for c in text):
        raise ValueError(f"“{short(text)}” is not a name")
    return text


def libvirt_uri(text: str) -> str:
    """A libvirt URI that this user may have opened. ``ValueError`` if not."""
    refusal = why_not_as_root(text) if os.geteuid() == 0 else None
    if refusal is not None:
        raise ValueError(refusal)
    if not text.isprintable() or not 0 < len(text) <= MAX_TEXT:
        raise ValueError(f"“{short(text)}” is not a URI such as {SYSTEM}")
    return text


def load(path: Path | None = None) -> Config:
    """The configuration at ``path``, which must exist, or at the XDG place, which need not.
    Raises ``ConfigError``."""
    place = path or config_folder() / "config.toml"
    try:
        data = read_file(place, MAX_BYTES)
        if data and os.geteuid() == 0 and not only_root_can_change(place.absolute()):
            raise ValueError(
                "others than root can change it, so root does not take it; copy it to "
                f"{config_folder()} as root"
            )
        text = data.decode("utf-8-sig")
        if max(map(len, text.split("\n"))) > MAX_LINE:
            raise ValueError(f"a line is longer than {MAX_LINE} characters")
        return replace(parse(tomllib.loads(text)), file=place)
    except (FileNotFoundError, NotADirectoryError):
        if path is None:
            return Config()
        why = "there is no such file"
    except OSError as error:
        another = "; name another with --config" if path is None else ""
        why = f"cannot be read: {error.strerror}{another}"
    except RecursionError:
        why = "nested too deeply"
    except ValueError as error:  # not UTF-8, not TOML, or not ours
        why = short(str(error), REASON_LIMIT)
    raise ConfigError(f"{short(str(place), PATH_LIMIT)}: {why}")


def parse(table: dict[str, object]) -> Config:
    """A configuration from its TOML table. ``ValueError`` names the key that is wrong."""
    known = {field.name for field in fields(Config)} - {"file"}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"unknown key “{short(unknown[0])}”; known are {', '.join(sorted(known))}")
    texts: dict[str, str] = {}
    for key, value in table.items():
        if key not in ("interval", "guest_interval"):
            if not isinstance(value, str) or not value:
                raise ValueError(f"{key} must be a text in quotes")
            texts[key] = value
    for key, check in (("connect", libvirt_uri), ("guest_gpu", address), ("guest", name)):
        if key in texts:
            texts[key] = check(texts[key])
    for key, choices in (("elevation", ELEVATIONS), ("guest_readings", GUEST_READINGS)):
        if key in texts and texts[key] not in choices:
            raise ValueError(f"{key} must be one of {', '.join(choices)}")
    return Config(
        connect=texts.get("connect", SYSTEM),
        interval=interval(table.get("interval", DEFAULT_INTERVAL)),
        guest_gpu=texts.get("guest_gpu"),
        guest=texts.get("guest"),
        theme=texts.get("theme"),
        elevation=texts.get("elevation"),
        guest_readings=texts.get("guest_readings", "auto"),
        guest_interval=interval(table.get("guest_interval", DEFAULT_GUEST_INTERVAL)),
    )
