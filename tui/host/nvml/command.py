"""The command line of the process that holds NVML: to start it, and to recognise it."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tui.host import HostError
from tui.host.journal.file import JOURNAL
from tui.model.address import is_address

PROGRAM = Path(__file__).with_name("child.py")
DRIVER = Path("/sys/bus/pci/drivers/nvidia")

NO_JOURNAL = "-"
"""The mark of a journal that does not exist."""

Mark = tuple[int, int] | None
"""``Journal.mark``: inode, and time of the last change in ns."""

_MARK = re.compile(r"-|[0-9]{1,20}:[0-9]{1,20}")


def command(driver: Path, journal: Path, mark: Mark, addresses: Sequence[str]) -> list[str]:
    """Return the command line that starts it for the cards at ``addresses``.

    ``mark`` must have been taken from the journal before the check that no swap is under way.
    Raises ``HostError`` if pynvml is missing.
    """
    # -I and -S load nothing from the user's environment and save 4 MiB. So the child cannot find
    # pynvml, and gets its folder as an argument.
    found = importlib.util.find_spec("pynvml")
    if found is None or found.origin is None:
        raise HostError("the Python module pynvml is missing; install nvidia-ml-py")
    pynvml = Path(found.origin).parent
    seen = NO_JOURNAL if mark is None else f"{mark[0]}:{mark[1]}"
    return [*_head(), str(pynvml), str(driver), str(journal), seen, *addresses]


def is_nvml_child(words: Sequence[str]) -> bool:
    """Whether a command line is, word by word, that of this installation's process on this machine.

    The folder of pynvml may be any: it differs between users.
    """
    head = _head()
    fixed = [*head, str(DRIVER), str(JOURNAL)]
    size = len(head)
    if len(words) < size + 5:
        return False
    found = [*words[:size], *words[size + 1 : size + 3]]
    mark, addresses = words[size + 3], words[size + 4 :]
    return (
        found == fixed
        and words[size].startswith("/")
        and _MARK.fullmatch(mark) is not None
        and all(is_address(word) for word in addresses)
    )


def _head() -> list[str]:
    return [sys.executable, "-I", "-S", str(PROGRAM)]
