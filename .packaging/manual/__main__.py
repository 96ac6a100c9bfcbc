"""Writes the manual pages and completions into a folder: ``python -m manual build``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from manual import completions, pages


def main(folder: Path) -> None:
    """Write ``man/`` and ``completions/`` into a folder. SOURCE_DATE_EPOCH sets the date of the
    pages, so that package builds are reproducible."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    date = time.strftime("%Y-%m-%d", time.gmtime(int(epoch) if epoch else None))
    for name, text in pages.made(date).items():
        _write(folder / "man" / name, text)
    for shell, text in completions.made().items():
        _write(folder / "completions" / shell / completions.FILES[shell], text)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
