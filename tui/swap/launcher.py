"""Starts swaps for the user of this program, as root or through an elevation tool."""

from __future__ import annotations

from collections.abc import Callable

from tui.model import Code
from tui.model.errors import Refused
from tui.model.requests import SwapRequest
from tui.process import output
from tui.process.code import judge_code
from tui.rules.privilege import FRESH, INSTALL
from tui.swap.launch import elevation, launch, launch_elevated


class Launcher:
    """Starts swaps on this machine. ``configured`` is the user's choice of elevation tool, and
    ``judge`` says who can change the code that root will run."""

    def __init__(
        self, configured: str | None = None, judge: Callable[[], Code] = judge_code
    ) -> None:
        self.unavailable_reason: str | None = None
        self._judge = judge
        self._said = False
        self._tool: str | None = None
        try:  # once: PATH may lead to a file system that hangs
            self._tool = elevation(configured)
        except Refused as error:
            self.unavailable_reason = str(error)

    @property
    def needs_terminal(self) -> bool:
        return self._tool is not None

    def begin(self, request: SwapRequest) -> str:
        if self.unavailable_reason is not None:
            raise Refused(self.unavailable_reason)
        if self._tool is None:
            return launch(request)
        self._check_code(self._tool)
        return launch_elevated(request, self._tool)

    def _check_code(self, tool: str) -> None:
        """Refuse to give root code that a third party can change, and say once that this user can.
        Checked again for each swap."""
        code = self._judge()
        if code.refusal is not None:
            raise Refused(f"{code.refusal}; nothing was changed: {FRESH}")
        if code.writers == "user" and not self._said:
            output.note(f"{tool} runs code that {code.who} can change ({code.path}): {INSTALL}")
            self._said = True
