"""The application whose terminal is ours, before it has a screen."""

from __future__ import annotations

from tui.terminal.app import TerminalApp


def test_a_field_may_be_set_up_before_there_is_a_screen() -> None:
    """As Textual does from Python 3.12 on, where tasks start eagerly."""
    app = TerminalApp()
    assert app.screen_stack == []
    app.clear_selection()
