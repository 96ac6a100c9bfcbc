"""The user's configuration (TOML), which is only read."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

from tui.places import config_folder
from tui.privileged import is_roots_own
from tui.rules.libvirt_uri import why_not_as_root

DEFAULT_URI = "qemu:///system"
DEFAULT_INTERVAL = 1.0
INTERVALS = (0.2, 3600.0)
"""Seconds between readings that make sense; below, reading costs more than it tells."""

ELEVATIONS = ("sudo", "doas", "run0")
"""The programs that may make an ordinary user root."""

GUEST_READINGS = ("auto", "on", "off")
"""Whether a running guest is asked for its card: ``auto`` leaves it alone in quiet mode,
``on`` does not."""

DEFAULT_GUEST_INTERVAL = 5.0

MAX_BYTES = 64 * 1024

_ADDRESS = re.compile(r"(?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-1][0-9a-f]\.[0-7]", re.IGNORECASE)


class ConfigError(Exception):
    """A configuration that cannot be used: which file, what is wrong, what to write."""


@dataclass(frozen=True)
class Config:
    """What the user fixed, in ``file``. ``None``: not said, vfiotop finds it out."""

    connect: str = DEFAULT_URI
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
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"“{text[:40]}” is not a PCI address such as 01:00.0")
    text = text.lower()
    return text if text.count(":") == 2 else f"0000:{text}"


def interval(value: object) -> float:
    """Seconds between readings within ``INTERVALS``. ``ValueError`` if not."""
    try:
        seconds = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        seconds = float("nan")
    if not INTERVALS[0] <= seconds <= INTERVALS[1]:
        low, high = INTERVALS
        raise ValueError(f"the interval must be a number of seconds from {low} to {high:.0f}")
    return seconds


def libvirt_uri(text: str) -> str:
    """A libvirt URI that this user may have opened. ``ValueError`` if not."""
    refusal = why_not_as_root(text) if os.geteuid() == 0 else None
    if refusal is not None:
        raise ValueError(refusal)
    return text


def load(path: Path | None = None) -> Config:
    """The configuration at ``path``, which must exist, or at the XDG place, which need not."""
    place = path or config_folder() / "config.toml"
    if os.geteuid() == 0 and not is_roots_own(place.absolute()):
        raise ConfigError(
            f"{place}: others than root can change it, so root does not read it; copy it to "
            f"{config_folder()} as root"
        )
    try:
        with place.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if path is None:
            return Config()
        raise ConfigError(f"{place}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{place}: cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{place}: larger than {MAX_BYTES // 1024} KiB, so not a configuration")
    try:
        return replace(parse(tomllib.loads(data.decode())), file=place)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
        raise ConfigError(f"{place}: {error}") from error


def parse(table: dict[str, object]) -> Config:
    """A configuration from its TOML table. ``ValueError`` names the key that is wrong."""
    known = {field.name for field in fields(Config)} - {"file"}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"unknown key “{unknown[0][:40]}”; known are {', '.join(sorted(known))}")
    texts: dict[str, str] = {}
    for key, value in table.items():
        if key not in ("interval", "guest_interval"):
            if not isinstance(value, str) or not value:
                raise ValueError(f"{key} must be a text in quotes")
            texts[key] = value
    gpu = texts.get("guest_gpu")
    for key, choices in (("elevation", ELEVATIONS), ("guest_readings", GUEST_READINGS)):
        if key in texts and texts[key] not in choices:
            raise ValueError(f"{key} must be one of {', '.join(choices)}")
    return Config(
        connect=libvirt_uri(texts.get("connect", DEFAULT_URI)),
        interval=interval(table.get("interval", DEFAULT_INTERVAL)),
        guest_gpu=address(gpu) if gpu else None,
        guest=texts.get("guest"),
        theme=texts.get("theme"),
        elevation=texts.get("elevation"),
        guest_readings=texts.get("guest_readings", "auto"),
        guest_interval=interval(table.get("guest_interval", DEFAULT_GUEST_INTERVAL)),
    )


def write_atomically(path: Path, text: str) -> None:
    """Replace ``path`` by a file with ``text``: a reader sees the old or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
