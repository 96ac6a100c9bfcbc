"""The settings: the current value of each, and a sentence about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from widgets.block_list import Block, BlockList
from widgets.glyphs import RICH, Glyphs
from widgets.lines import Line, Span, fit, join, joined_to_fit, line, width_of, wrap
from widgets.panel import Edges

NAME = 17
"""Width of a setting's name, in cells."""

NARROW = 60
"""Width, in cells, below which the sentence begins under the name."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting with its current value, number ``place`` of ``count`` possible ones; with ``count``
    0 it cannot be changed here. ``scope`` says what the value applies to, if not to everything."""

    id: str
    name: str
    value: str
    sentence: str
    place: int = 0
    count: int = 0
    scope: str = ""


class SettingsPanel(BlockList):
    """A list of settings; the arrows, enter and space change the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "change(-1)", "Previous", show=False),
        Binding("right,enter,space", "change(1)", "Next", show=False),
    ]

    class Changed(Message):
        """The user wants the value that is ``steps`` further on."""

        def __init__(self, setting: str, steps: int) -> None:
            super().__init__()
            self.setting, self.steps = setting, steps

    def __init__(self, *, glyphs: Glyphs = RICH) -> None:
        super().__init__("key", id="settings", glyphs=glyphs)
        self._settings: tuple[Setting, ...] = ()

    def show(self, settings: Sequence[Setting]) -> None:
        """Draw ``settings``; those that can be changed come first."""
        if tuple(settings) != self._settings:
            self._settings = tuple(settings)
            self._draw()

    def action_change(self, steps: int, setting: str = "") -> None:
        """Ask for another value of ``setting``, or of the one under the cursor."""
        if setting:
            self.select(setting)
        if any(each.id == self.selected and each.count for each in self._settings):
            self.post_message(self.Changed(self.selected, steps))

    def _draw(self) -> None:
        if self.space.width <= 0:
            return
        self.set_edges(Edges(
            line(Span("Settings", "strong")),
            keys=line(Span("enter", "key"), " changes the selected setting"),
        ))  # fmt: skip
        self.paint_blocks(list(setting_blocks(self._settings, self.space.width, self.glyphs)))


def setting_blocks(
    settings: Sequence[Setting], width: int, glyphs: Glyphs = RICH
) -> Iterator[Block]:
    """A block for each setting, with a heading above those of the configuration."""
    for index, setting in enumerate(settings):
        if index and not setting.count and settings[index - 1].count:
            yield Block([fit(line(Span("From the configuration", "strong")), width)])
        yield Block([*_lines(setting, width, glyphs), ()], setting.id)


def _lines(setting: Setting, width: int, glyphs: Glyphs) -> Iterator[Line]:
    name = Span(f"{setting.name:<{NAME}}", "label")
    if not setting.count:
        first, *rest = wrap(setting.value, max(width - NAME, 8))
        yield fit(line(name, *first), width)
        yield from (fit(line(" " * NAME, *row), width) for row in rest)
    else:
        yield _choice(setting, name, width, glyphs)
    indent = 2 if width < NARROW else NAME
    for row in wrap(setting.sentence, max(width - indent, 8), "dim"):
        yield line(" " * indent, *row)


def _choice(setting: Setting, name: Span, width: int, glyphs: Glyphs) -> Line:
    """``Theme  ‹ dark ›  1 of 5``"""
    back, on = (f"change({steps}, '{setting.id}')" for steps in (-1, 1))
    head = line(
        name, Span(f"{glyphs.less} ", "key", back), Span(setting.value, "strong", on),
        Span(f" {glyphs.more}", "key", on),
    )  # fmt: skip
    parts = (
        line(Span(f"{setting.place} of {setting.count}", "dim")) if setting.place else (),
        line(Span(f"for {setting.scope}", "dim")) if setting.scope else (),
    )  # fmt: skip
    return fit(join([head, joined_to_fit(parts, width - width_of(head) - 2)]), width)


if __name__ == "__main__":
    from widgets.preview import preview
    from widgets.samples import SETTINGS

    preview(SettingsPanel(), lambda widget: widget.show(SETTINGS))
