"""``vfiotop capture``: this host's facts in an archive, for a bug report."""

from __future__ import annotations

import argparse
import os
import stat
from pathlib import Path

from tui import config
from tui.cli.arguments import AddParser
from tui.cli.exits import DONE, FAILED, UsageError, fail
from tui.host import Host
from tui.process import output
from tui.process.files import write_atomically

STDOUT = "-"
"""Stands for standard output in place of a file."""


def add_commands(add: AddParser) -> None:
    """Add ``capture``."""
    parser = add("capture", "write this host's facts to an archive, for a bug report")
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="a .tar.gz; “-” or nothing for a pipe"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it exists")
    parser.add_argument(
        "--unredacted", action="store_true",
        help="keep names, addresses and serial numbers; passwords are removed all the same",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Capture the host, and report what was replaced."""
    file = _file(arguments)
    if host.root is None:
        raise UsageError("this host has no files to capture")
    # Imported here: no other command needs these modules.
    from tui.host.capture.bundle import capture, machine  # noqa: PLC0415

    root = machine() if host.root.is_machine else host.root
    made = capture(root, settings.connect, redact=not arguments.unredacted)
    if file is None:
        output.STDOUT.write_bytes(made.archive)
        if output.STDOUT.lost is not None:
            return FAILED
    else:
        try:
            _check(file, force=arguments.force)
            write_atomically(file, made.archive)
        except OSError as error:
            return fail(f"{file} cannot be written: {error.strerror or error}", FAILED)
    tell = output.say_line if file is not None else output.note
    tell(f"{len(made.archive) / 1024:.0f} KiB with {made.files} files, links and folders")
    if made.history is not None:
        tell(f"The history is in it: {made.history}. `vfiotop replay` shows it.")
    if arguments.unredacted:
        tell("Nothing was replaced; passwords and secrets that were found are not in it.")
    elif made.replaced:
        counts = ", ".join(f"{kind} ({count})" for kind, count in made.replaced.items())
        tell(f"Replaced or left out: {counts}")
    if made.unread:
        as_root = "" if os.geteuid() == 0 else "; root may read more"
        tell(f"Not read: {len(made.unread)} (the file NOT-READ in it says what and why{as_root})")
    tell("Look through it before you publish it: REDACTED in it says what was kept.")
    return DONE


def _file(arguments: argparse.Namespace) -> Path | None:
    """Return the file to write; ``None`` for standard output. Raises ``UsageError``."""
    if arguments.file not in (None, STDOUT):
        return Path(arguments.file)
    if os.isatty(1):
        raise UsageError(
            "an archive cannot be shown on a terminal: "
            "name a file, as in `vfiotop capture host.tar.gz`"
        )
    return None


def _check(file: Path, *, force: bool) -> None:
    """Raise ``OSError`` if the file exists and must not be replaced."""
    try:
        mode = file.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise OSError("it exists and is not a regular file")
    if not force:
        raise OSError("it exists; --force replaces it")
