"""The application whose terminal is ours, before it has a screen."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from textual.widget import Widget

from tui.terminal.app import TerminalApp, is_field


def test_a_field_may_be_set_up_before_there_is_a_screen() -> None:
    """As Textual does from Python 3.12 on, where tasks start eagerly."""
    app = TerminalApp()
    assert app.screen_stack == []
    app.clear_selection()


def test_nothing_is_a_text_field_while_its_module_is_being_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another thread imports it while the screen is drawn."""
    monkeypatch.setitem(sys.modules, "textual.widgets._input", ModuleType("half loaded"))
    assert not is_field(Widget())
    assert not is_field(None)
