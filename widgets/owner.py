"""Who has a card, with the sign and the tone used everywhere."""

from __future__ import annotations

from tui.model import Gpu, OwnerKind, Swap
from widgets.card_swap import swap_words
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Span, Tone

OWNERS: dict[OwnerKind, tuple[str, Tone, tuple[str, ...]]] = {
    "guest": ("in_guest", "guest", ("in {}",)),
    "host": ("on_host", "host-gpu", ("on host",)),
    "vfio": ("free", "guest-gpu", ("free for a guest", "free")),
    "none": ("nobody", "bad", ("no driver",)),
    "moving": ("moving", "warn", ("moving",)),
    "stuck": ("stuck", "bad", ("stuck",)),
    "unknown": ("unknown", "warn", ("owner unknown", "unknown")),
}
"""The name of each owner's sign, its tone, and its words, the longest first."""


def owner_words(
    gpu: Gpu, swap: Swap | None = None, glyphs: Glyphs = RICH
) -> tuple[str, Tone, tuple[str, ...]]:
    """The sign of a card's owner, its tone, and the words for it, the longest first. ``swap`` is
    the one that moves the card; the words then include its progress."""
    sign, tone, words = OWNERS[gpu.owner.kind]
    if gpu.owner.kind == "moving" and swap is not None:
        words = (swap_words(gpu, swap),)
    return getattr(glyphs, sign), tone, tuple(each.format(gpu.owner.guest) for each in words)


def owner_span(gpu: Gpu, swap: Swap | None = None, glyphs: Glyphs = RICH) -> Span:
    """``◆ in win11``, in the fewest words. ``swap`` is the host's last one; another program may
    have moved the card since."""
    moves = swap is not None and swap.under_way and gpu.address in swap.moves
    moving = swap if moves else None
    sign, tone, words = owner_words(gpu, moving, glyphs)
    return Span(f"{sign} {words[-1]}", tone)
