"""Speaks the QEMU guest agent's protocol: JSON requests and replies.

Protocol: https://qemu-project.gitlab.io/qemu/interop/qemu-ga-ref.html. The guest is not trusted,
nor is whatever replies in the agent's place: the size of a reply is limited, and every part of it
is checked before it is used.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, cast

from msgspec import Struct

from tui.host import HostError

Send = Callable[[str], str]
"""Sends a command to an agent and returns the reply; has a timeout. Raises ``AgentError``."""

REPLY_LIMIT = 64 * 1024
"""Characters of a reply; libvirt itself accepts up to 10 MiB from an agent."""

System = Literal["linux", "windows"]


class AgentError(HostError):
    """The agent did not reply, or its reply is malformed.

    ``permanent``: it will fail until something changes in the guest. ``refused``: the agent
    replied with an error.
    """

    def __init__(self, sentence: str, *, permanent: bool = False, refused: bool = False) -> None:
        super().__init__(sentence)
        self.permanent = permanent
        self.refused = refused


class Outcome(Struct, frozen=True):
    """The exit status of a program in the guest (``None`` if it was killed), and its output."""

    status: int | None
    output: str
    errors: str = ""

    @property
    def text(self) -> str:
        """Everything that it wrote to stdout and stderr."""
        return f"{self.output}\n{self.errors}"


class Agent:
    """One guest's agent."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def may_run_programs(self) -> bool:
        """Whether guest-exec and guest-exec-status exist and are enabled (guest-info)."""
        found = self._ask("guest-info").get("supported_commands")
        if not isinstance(found, list):
            raise _malformed()
        enabled = {
            name for each in found
            if isinstance(each, dict) and each.get("enabled") is True
            and isinstance(name := each.get("name"), str)
        }  # fmt: skip
        return {"guest-exec", "guest-exec-status"} <= enabled

    def system(self) -> System:
        """Return the guest's system (guest-get-osinfo: ``mswindows``, or a distribution's id).

        An agent that is too old for this command is assumed to run on Linux.
        """
        try:
            found = self._ask("guest-get-osinfo").get("id")
        except AgentError as error:
            if not error.refused:
                raise
            return "linux"
        return "windows" if found == "mswindows" else "linux"

    def start(self, program: str, arguments: Sequence[str]) -> int:
        """Start a program (guest-exec); returns its pid in the guest."""
        pid = self._ask(
            "guest-exec", {"path": program, "arg": list(arguments), "capture-output": True}
        ).get("pid")
        if type(pid) is not int or not 0 <= pid < 1 << 63:
            raise _malformed()
        return pid

    def outcome(self, pid: int) -> Outcome | None:
        """Return how a program ended (guest-exec-status), or ``None`` while it runs.

        The agent reports this only once, and then forgets the program.
        """
        status = self._ask("guest-exec-status", {"pid": pid})
        if type(exited := status.get("exited")) is not bool:
            raise _malformed()
        if not exited:
            return None
        code = status.get("exitcode")
        known = type(code) is int and 0 <= code < 1 << 32
        output, errors = _output(status.get("out-data")), _output(status.get("err-data"))
        return Outcome(cast(int, code) if known else None, output, errors)

    def _ask(
        self, command: str, arguments: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        request: dict[str, object] = {"execute": command}
        if arguments is not None:
            request["arguments"] = arguments
        reply = self._send(json.dumps(request))
        if len(reply) > REPLY_LIMIT:
            raise AgentError("the guest's agent sent far more than was requested", permanent=True)
        try:
            decoded = json.loads(reply)
        except (ValueError, RecursionError) as error:
            raise _malformed() from error
        found = decoded.get("return") if isinstance(decoded, dict) else None
        if not isinstance(found, dict):
            raise _malformed()
        return cast(dict[str, object], found)


def _output(data: object) -> str:
    """Decode ``out-data`` or ``err-data``: base64, missing if nothing was written."""
    if data is None:
        return ""
    if not isinstance(data, str):
        raise _malformed()
    try:
        return base64.b64decode(data, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise _malformed() from error


def _malformed() -> AgentError:
    return AgentError("the guest's agent sent a malformed reply", permanent=True)
