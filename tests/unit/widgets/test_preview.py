"""Every widget can be run on its own: ``python -m widgets.NAME``."""

from __future__ import annotations

import runpy
from importlib import import_module
from pathlib import Path

import pytest
from textual.screen import Screen
from textual.widget import Widget

from widgets.preview import Preview

FOLDER = Path(__file__).parents[3] / "widgets"

SHOWN = {
    "card_list": "RTX 3060",
    "card_panel": "◆ in win11",
    "choice_list": "GeForce RTX 4090",
    "cost_table": "Calls in the last minute",
    "device_panel": "RTX 4090",
    "doctor_panel": "set managed='no' on both hostdevs",
    "event_list": "nvidia → vfio-pci",
    "footer": "q quit",
    "group_panel": "14 ✓ guest GPU",
    "guest_panel": "vCPU 3 waited 41 ms",
    "header": "tower",
    "help_page": "Take the guest GPU back",
    "notice": "No GPU found",
    "plan_panel": "modprobe vfio-pci",
    "return_line": "returns to the host in 27 s",
    "settings_panel": "Quiet mode",
}
"""Text that each preview shows, by module."""

BASES = {"canvas", "panel", "graph_panel", "block_list"}


def test_every_module_with_a_widget_but_the_base_classes_has_a_preview() -> None:
    modules = {path.stem: import_module(f"widgets.{path.stem}") for path in FOLDER.glob("*.py")}
    with_widget = {
        name
        for name, module in modules.items()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Widget)
        if value.__module__ == module.__name__ and not issubclass(value, Screen)
    }
    assert with_widget == BASES | set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
async def test_a_widget_alone_draws_its_sample(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Preview] = []

    def run(app: Preview) -> None:
        made.append(app)

    monkeypatch.setattr(Preview, "run", run)
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    (app,) = made
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        rows = app.screen._compositor.render_strips(app.size)
        text = "\n".join("".join(segment.text for segment in row) for row in rows)
    assert SHOWN[name] in text
