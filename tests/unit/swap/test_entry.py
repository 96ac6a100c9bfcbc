"""What an ordinary user may start as root."""

from __future__ import annotations

import json
import os

import pytest

from tui.model.requests import SwapRequest
from tui.swap import entry, launch

REQUEST = ["bind", "address=0000:02:00.0", f"id={0:032x}"]


@pytest.mark.parametrize("words", [[], ["by=watch"]])
def test_nobody_asks_in_the_name_of_the_watch(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The watch starts its runners itself, so only a user's request comes this way."""
    asked: list[SwapRequest] = []

    def launched(request: SwapRequest) -> str:
        asked.append(request)
        return request.identity

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(launch, "launch", launched)
    assert entry.launch_main([*REQUEST, *words]) == (1 if words else 0)
    reply = json.loads(capfd.readouterr().out)
    assert ("error" in reply) is bool(words)
    assert [each.by for each in asked] == ([] if words else ["user"])
