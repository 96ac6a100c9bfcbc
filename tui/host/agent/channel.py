"""The QEMU guest agent, spoken to in its own words: JSON there, JSON back.

Protocol: https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html. The guest may be
anybody's, and so may be what answers in the agent's place: a reply is bounded and every part
of it is looked at before it is believed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from tui.host import HostError

Send = Callable[[str], str]
"""Sends a command to an agent and returns its reply, within a time of its own. Raises
``AgentError``."""

REPLY_LIMIT = 64 * 1024
"""Characters of a reply that are read; libvirt itself takes up to 10 MiB from an agent."""

System = Literal["linux", "windows"]


class AgentError(HostError):
    """An agent that gave no answer, or none that makes sense. ``lasting``: it will not before
    something changes in the guest. ``refused``: it answered, and said no."""

    def __init__(self, sentence: str, *, lasting: bool = False, refused: bool = False) -> None:
        super().__init__(sentence)
        self.lasting = lasting
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program in the guest ended: its exit status, and what it wrote to stdout and to
    stderr."""

    status: int | None
    output: str
    errors: str = ""

    @property
    def said(self) -> str:
        """All that it wrote."""
        return f"{self.output}\n{self.errors}"


class Agent:
    """One guest's agent."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def may_run_programs(self) -> bool:
        """guest-info: whether guest-exec and guest-exec-status are there and enabled."""
        found = self._ask("guest-info").get("supported_commands")
        if not isinstance(found, list):
            raise _nonsense()
        enabled = {
            name for each in found
            if isinstance(each, dict) and each.get("enabled") is True
            and isinstance(name := each.get("name"), str)
        }  # fmt: skip
        return {"guest-exec", "guest-exec-status"} <= enabled

    def system(self) -> System:
        """guest-get-osinfo: the id ``mswindows``, or that of a distribution. An agent that
        is too old to tell is taken for one on Linux."""
        try:
            found = self._ask("guest-get-osinfo").get("id")
        except AgentError as error:
            if not error.refused:
                raise
            return "linux"
        return "windows" if found == "mswindows" else "linux"

    def start(self, program: str, arguments: Sequence[str]) -> int:
        """guest-exec: the pid, in the guest, of the program that was started."""
        pid = self._ask(
            "guest-exec", {"path": program, "arg": list(arguments), "capture-output": True}
        ).get("pid")
        if type(pid) is not int or not 0 <= pid < 1 << 63:
            raise _nonsense()
        return pid

    def outcome(self, pid: int) -> Outcome | None:
        """guest-exec-status: ``None`` while the program runs. Told once; the agent forgets
        the program with it."""
        told = self._ask("guest-exec-status", {"pid": pid})
        if type(exited := told.get("exited")) is not bool:
            raise _nonsense()
        if not exited:
            return None
        status = told.get("exitcode")
        known = type(status) is int and 0 <= status < 1 << 32
        output, errors = _output(told.get("out-data")), _output(told.get("err-data"))
        return Outcome(cast(int, status) if known else None, output, errors)

    def _ask(
        self, command: str, arguments: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        request: dict[str, object] = {"execute": command}
        if arguments is not None:
            request["arguments"] = arguments
        reply = self._send(json.dumps(request))
        if len(reply) > REPLY_LIMIT:
            raise AgentError("the guest's agent says far more than was asked", lasting=True)
        try:
            told = json.loads(reply)
        except (ValueError, RecursionError) as error:
            raise _nonsense() from error
        found = told.get("return") if isinstance(told, dict) else None
        if not isinstance(found, dict):
            raise _nonsense()
        return cast(dict[str, object], found)


def _output(data: object) -> str:
    """``out-data`` and ``err-data``, which are base64; absent where nothing was written."""
    if data is None:
        return ""
    if not isinstance(data, str):
        raise _nonsense()
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise _nonsense() from error


def _nonsense() -> AgentError:
    return AgentError("the guest's agent gave an answer that makes no sense", lasting=True)
