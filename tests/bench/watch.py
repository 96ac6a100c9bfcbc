"""``python -m tests.bench.watch FOLDER``: the watch with a history, on a host laid out in FOLDER.

Only root's watch keeps one. What it writes to /run and /var/lib goes to FOLDER instead, so this
machine's own watch is left alone. With its configuration it moves no card.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from tests.bench.places import KEPT, RUN, WATCH
from tests.bench.screen import lay_under, start
from tui.host.history import folder as history
from tui.host.watch import record


def main() -> int:
    """Watch until a signal ends it."""
    folder = Path(sys.argv[1])
    lay_under(folder, still=False)
    run = folder / RUN
    vars(record).update(RecordFile=partial(record.RecordFile, run))
    vars(history).update(DISK=folder / KEPT / "history", MEMORY=run / "history")
    return start(folder, WATCH, "watch")


if __name__ == "__main__":
    raise SystemExit(main())
