"""``vfiotop metrics``: one reading of everything, for Prometheus."""

from __future__ import annotations

import argparse
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui import config
from tui.cli.arguments import AddParser
from tui.cli.exits import DONE
from tui.host import Host
from tui.model.errors import VfiotopError
from tui.process import output
from tui.process.files import write_atomically

if TYPE_CHECKING:
    from tui.report.metric_families import Format

READABLE = 0o644
"""The mode of the file: node_exporter runs as a user of its own and has to read it."""


def add_commands(add: AddParser) -> None:
    """Add ``metrics``."""
    parser = add("metrics", "print one reading of everything as metrics for Prometheus")
    parser.add_argument(
        "--output", type=Path, metavar="FILE",
        help="replace this file, which node_exporter can read, in one step",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=("openmetrics", "prometheus"), metavar="FORMAT",
        help="openmetrics (the default), or prometheus (the default with --output): the older "
        "format of Prometheus",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(host: Host, settings: config.Config, arguments: argparse.Namespace) -> int:
    """Print the metrics of one reading, or write them to a file."""
    if arguments.output is None:
        form: Format = arguments.format or "openmetrics"
        output.STDOUT.write_bytes(_text(host, settings, form))
        return DONE
    _check_replaceable(arguments.output)
    text = _text(host, settings, arguments.format or "prometheus")
    try:
        write_atomically(arguments.output, text, mode=READABLE)
    except (OSError, ValueError) as error:
        raise _unwritten(arguments.output, error) from error
    return DONE


def _text(host: Host, settings: config.Config, form: Format) -> bytes:
    from tui.once import examine_once  # noqa: PLC0415
    from tui.report.metric_families import as_text  # noqa: PLC0415
    from tui.report.metrics import families  # noqa: PLC0415
    from tui.rules.doctor import all_checks, examine  # noqa: PLC0415
    from tui.state import choice  # noqa: PLC0415

    seen = examine_once(host, choice(settings, host), with_readings=True, pause=time.sleep)
    view = replace(seen.view, checks=all_checks(examine(seen)))
    return as_text(families(view, host.now(), read_at=seen.read_at), form)


def _check_replaceable(path: Path) -> None:
    """Raise ``VfiotopError`` unless ``path`` is a regular file or missing: nobody wants to replace
    a device or a link."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise _unwritten(path, error) from error
    if not stat.S_ISREG(mode):
        raise VfiotopError(f"{_shown(path)} is not a regular file; leave out --output to print")


def _unwritten(path: Path, error: OSError | ValueError) -> VfiotopError:
    why = error.strerror if isinstance(error, OSError) else str(error)
    return VfiotopError(f"{_shown(path)}: cannot be written: {why}")


def _shown(path: Path) -> str:
    return output.short(output.printable(str(path)), config.PATH_LIMIT)
