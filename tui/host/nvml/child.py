"""The process that holds NVML, so that nothing else in vfiotop does.

Its exit closes ``/dev/nvidia*``, and it may be killed at any time. It loads pynvml, a few
modules of the standard library and none of ours but those next to it.
``tui.host.nvml.source`` starts it as

    python -I -S child.py PYNVML_FOLDER DRIVER_FOLDER JOURNAL MARK ADDRESS...

and writes one byte to its stdin for each reading. Each answer is one line of JSON, in NVML's own
units; ``tui.host.nvml.reply`` validates it. The process reads only the cards at ADDRESS: NVML
initialises a card when its handle is requested, so other cards can stay asleep.

It ends when its stdin does. It also ends on its own when a card is being unbound or the swap
JOURNAL no longer matches its MARK. A swap waits for this process, and there may be nobody to kill
it: the parent may be stopped with ctrl+Z.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys

if __name__ == "__main__":
    sys.path.append(sys.argv[1])
    # Empty packages in place of ours: ``tui.host`` would load the whole model.
    _HERE = os.path.dirname(os.path.abspath(__file__))
    for _name, _up in (("tui", "../.."), ("tui.host", ".."), ("tui.host.nvml", ".")):
        sys.modules[_name] = type(sys)(_name)
        sys.modules[_name].__path__ = [os.path.normpath(os.path.join(_HERE, _up))]

    def _find_library(name: str) -> str | None:
        del sys.modules["ctypes.util"]
        from ctypes.util import find_library  # noqa: PLC0415

        return find_library(name)

    # pynvml imports this function and does not call it. Its module loads subprocess and tempfile
    # with all that they need: 1.3 MiB.
    sys.modules["ctypes.util"] = type(sys)("ctypes.util")
    vars(sys.modules["ctypes.util"]).update(find_library=_find_library)

import pynvml

from tui.host.nvml.exits import CARD_LEFT
from tui.host.nvml.reader import ExitIfCardLeaves, Reader, describe

CHECK_MS = 1000
"""Milliseconds without a request after which to check whether a card is leaving; each request
checks that, too. To wake an idle process costs as much as a tenth of a reading."""

ANSWER_LIMIT = 30
"""Seconds after which a reading ends this process, in case the parent is gone by then."""


def _mark(path: str) -> str:
    """Return a string that changes whenever the journal is replaced (``Journal.mark``)."""
    try:
        status = os.lstat(path)
    except OSError:
        return "-"
    return f"{status.st_ino}:{status.st_mtime_ns}"


def _make_exit_check(links: list[str], journal: str, mark: str) -> ExitIfCardLeaves:
    """Return a function that ends the process when a card leaves or the journal changes.

    A card leaves when its link in the driver's folder is gone: the driver's remove callback
    then waits for this process.
    """

    def exit_if_card_leaves() -> None:
        if _mark(journal) != mark or not all(os.path.lexists(link) for link in links):
            os._exit(CARD_LEFT)  # skips NVML's own clean-up, which may hang

    return exit_if_card_leaves


def _wait_for_request(exit_if_card_leaves: ExitIfCardLeaves) -> bool:
    """Wait until a reading is requested. Returns false when stdin has ended."""
    poller = select.poll()
    poller.register(0, select.POLLIN)
    while not poller.poll(CHECK_MS):
        exit_if_card_leaves()
    return bool(os.read(0, 64))


def main() -> None:
    """Answer each byte on stdin with a line, until stdin ends."""
    # A library that prints must not garble the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    folder, journal, mark, addresses = sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:]
    exit_if_card_leaves = _make_exit_check([f"{folder}/{a}" for a in addresses], journal, mark)
    reader = Reader(addresses, exit_if_card_leaves)
    while _wait_for_request(exit_if_card_leaves):
        exit_if_card_leaves()
        # The alarm ends a reading that hangs, or an answer that nobody reads, once the parent
        # has died and cannot kill this process.
        signal.alarm(ANSWER_LIMIT)
        try:
            answer = reader.read()
        except pynvml.NVMLError as error:
            answer = {"error": describe(error)}
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
        signal.alarm(0)
        if "error" in answer:
            break
    # Skip NVML's own clean-up, which may hang: the kernel closes what is open.
    os._exit(0)


if __name__ == "__main__":
    main()
