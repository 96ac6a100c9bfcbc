"""What one client has used of its card, from /proc/<pid>/fdinfo/<fd>.

Pure: the samples carry their time. Source: kernel, Documentation/gpu/drm-usage-stats.rst,
Documentation/gpu/i915.rst, and the comments in xe_drm_client.c and amdgpu_fdinfo.c.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from tui.host.drm.hwmon import MIN_INTERVAL
from tui.model.address import is_address

KEYS_LIMIT = 64
"""Engines and memory regions that are read of a client; real ones have about ten."""

_LINE = re.compile(
    r"^drm-([a-z0-9_-]{1,64}):[ \t]*([!-~]{1,64}(?: [A-Za-z]{1,3})?)[ \t]*$", re.MULTILINE
)
_VALUE = re.compile(r"([0-9]{1,20})(?: (ns|KiB|MiB))?")
_BYTES = {None: 1, "KiB": 1024, "MiB": 1024 * 1024}

_RANKS = {"resident": 0, "memory": 1, "total": 2}

_OWN = ("vram", "local")
"""Prefixes of the regions of a card's own memory; all others are in the host's."""

ENGINE_PURPOSES = {
    "gfx": "render", "render": "render", "rcs": "render",
    "compute": "compute", "ccs": "compute",
    "video": "video", "video-enhance": "video", "vcs": "video", "vecs": "video",
    "dec": "video", "enc": "video", "enc_1": "video", "jpeg": "video", "vpe": "video",
    "copy": "copy", "bcs": "copy", "dma": "copy",
}  # fmt: skip
"""What the engines of amdgpu, i915 and xe are for. Intel's video engines, and AMD's from VCN 4
on, both encode and decode, and do not report which."""


class Engine(Struct, frozen=True):
    """What a client has used of a class of engines.

    ``busy`` is in nanoseconds; with ``total`` it is GPU cycles out of that many. The class has
    ``capacity`` engines.
    """

    busy: int
    total: int | None = None
    capacity: int = 1


class Client(Struct, frozen=True):
    """One sample of a client, ``at`` monotonic seconds.

    ``address`` and ``id`` identify a client, in however many processes it is open. ``memory`` is in
    bytes: of the card's own memory if it has some, else of the host's.
    """

    at: float
    address: str | None
    id: int
    engines: Mapping[str, Engine] = field(default_factory=dict)
    memory: int | None = None


def parse(data: bytes, at: float) -> Client | None:
    """Parse the text of a file into a sample.

    ``None`` if the client cannot be told from others, as before Linux 5.19. Implausible values
    are left out; of a repeated key the first one counts.
    """
    keys = dict(reversed(_LINE.findall(data.decode("ascii", "replace"))))
    number, address = _number(keys.get("client-id")), keys.get("pdev")
    if "driver" not in keys or number is None:
        return None
    if address is not None and not is_address(address):
        return None
    return Client(at, address, number, _engines(keys), _memory(keys))


def _engines(keys: Mapping[str, str]) -> dict[str, Engine]:
    """Parse drm-engine-<name> in ns, else drm-cycles-<name> of drm-total-cycles-<name>.

    drm-engine-capacity-<name> is never 0.
    """
    found: dict[str, Engine] = {}
    for key, value in keys.items():
        kind, _, name = key.partition("-")
        if kind == "engine" and not name.startswith("capacity-"):
            busy, total = _number(value, "ns"), None
        elif kind == "cycles" and name not in found:
            busy, total = _number(value), _number(keys.get(f"total-cycles-{name}"))
        else:
            continue
        capacity = _number(keys.get(f"engine-capacity-{name}", "1"))
        known = busy is not None and (kind == "engine" or total is not None)
        if name and known and capacity and len(found) < KEYS_LIMIT:
            found[name] = Engine(busy or 0, total, capacity)
    return found


def _memory(keys: Mapping[str, str]) -> int | None:
    """Return what is in memory now, summed over regions.

    Each region has drm-resident-, or the older drm-memory-; some drivers only know all that was
    requested, drm-total-.
    """
    regions: dict[str, tuple[int, int]] = {}
    for key, value in keys.items():
        kind, _, region = key.partition("-")
        rank = _RANKS.get(kind)
        if rank is None or region.startswith("cycles-") or len(regions) == KEYS_LIMIT:
            continue
        size = _size(value)
        if region and size is not None and rank < regions.get(region, (9, 0))[0]:
            regions[region] = rank, size
    own = [size for region, (_, size) in regions.items() if region.startswith(_OWN)]
    return sum(own or (size for _, size in regions.values())) if regions else None


def _number(text: str | None, unit: str | None = None) -> int | None:
    found = _VALUE.fullmatch(text or "")
    if found is None or found[2] != unit or (value := int(found[1])) >= 1 << 64:
        return None
    return value


def _size(text: str) -> int | None:
    found = _VALUE.fullmatch(text)
    if found is None or found[2] not in _BYTES:
        return None
    size = int(found[1]) * _BYTES[found[2]]
    return size if size < 1 << 50 else None


# --- two samples --------------------------------------------------------------------


def monotonic(before: Client, after: Client) -> Client:
    """Return ``after`` with counters no lower than in ``before``.

    Counters may fall behind for a while; the larger value holds until they have caught up.
    """
    engines = dict(after.engines)
    for name, was in before.engines.items():
        now = engines.get(name)
        if now is not None and _comparable(was, now):
            engines[name] = replace(now, busy=max(was.busy, now.busy))
    return replace(after, engines=engines)


def loads(before: Client, after: Client) -> dict[str, float]:
    """Return how busy the client kept each engine, 0-100; 100 is all engines of the class.

    Leaves out an engine whose clock stood still or ran backwards.
    """
    found: dict[str, float] = {}
    for name, now in after.engines.items():
        # amdgpu lists an engine only once it has been used.
        was = before.engines.get(name, Engine(0) if now.total is None else now)
        if not _comparable(was, now):
            continue
        if now.total is None or was.total is None:
            span = (after.at - before.at) * 1e9
        else:
            span = float(now.total - was.total)
        if span > 0:
            share = max(0, now.busy - was.busy) / (span * now.capacity)
            found[name] = min(100.0, 100 * share)
    return found


def _comparable(was: Engine, now: Engine) -> bool:
    """Whether both counters have the same unit, and the GPU's clock was not set back."""
    if was.total is None or now.total is None:
        return was.total is now.total
    return now.total >= was.total


class LoadMeter:
    """The loads of one client, from its samples in order. ``loads`` is ``None`` until there are
    two."""

    def __init__(self, first: Client) -> None:
        self.latest = first
        self.loads: dict[str, float] | None = None
        self._before = first

    def read(self, now: Client) -> None:
        """Take a sample. Less than ``MIN_INTERVAL`` after the last one, the loads stay as they
        are."""
        self.latest = now
        if 0 <= now.at - self._before.at < MIN_INTERVAL:
            return
        now = monotonic(self._before, now)
        self.loads = loads(self._before, now)
        self._before = now
