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
    "choice_list": "GeForce RTX 4090",
    "cost_table": "Calls in the last minute",
    "details": "win11",
    "doctor_panel": "r465.family",
    "event_list": "nvidia → vfio-pci",
    "footer": "Quit",
    "gpu_list": "GeForce RTX 3060",
    "gpu_panel": "in guest win11",
    "group_tree": "Group 14",
    "guest_panel": "win11",
    "header": "tower",
    "help_page": "unbind",
    "notice": "No GPU found",
    "swap_panel": "modprobe vfio-pci",
}
"""Text that each preview shows, by module."""


def test_every_module_with_a_widget_but_the_base_class_has_a_preview() -> None:
    modules = {path.stem: import_module(f"widgets.{path.stem}") for path in FOLDER.glob("*.py")}
    with_widget = {
        name
        for name, module in modules.items()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Widget)
        if value.__module__ == module.__name__ and not issubclass(value, Screen)
    }
    assert with_widget == {"canvas", *SHOWN}


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
