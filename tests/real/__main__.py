"""``make real``: what vfiotop reads of a real NVIDIA card, beside what nvidia-smi says.

It needs nothing but ``make setup``, not even root, and takes less than four minutes. It prints a
table and writes a JSON file that can be sent in. Exit code 1: there is no card to read, or the file
cannot be written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.real.measure import Measurement, Options, bound_cards
from tests.real.report import as_json, as_text
from tests.real.smi import Smi, SmiError, installed
from tui import __version__
from tui.host.journal.file import JOURNAL

NO_CARD = "No card is on the nvidia driver, so there is nothing to compare."
NO_SYSFS = (
    "nvidia-smi lists {count} card(s), but /sys/bus/pci/drivers/nvidia has none: this is a "
    "container without the host's sysfs. Run this on the host."
)
NO_SMI = "nvidia-smi is not installed, so there is nothing to compare with."


def why_not(options: Options, smi: Smi, path: str) -> str | None:
    """Why nothing can be compared, in a sentence."""
    if not installed(path):
        return NO_SMI if bound_cards(options.root) else NO_CARD
    if bound_cards(options.root):
        return None
    try:
        count = len(smi.query())
    except SmiError:
        count = 0
    return NO_SYSFS.format(count=count) if count else NO_CARD


def run(
    options: Options, smi_path: str, file: Path, environment: Mapping[str, str] | None = None,
    journal: Path = JOURNAL,
) -> int:  # fmt: skip
    """Measure, print and write. ``environment`` is added to that of both programs."""
    smi = Smi(smi_path, {**os.environ, **(environment or {})})
    reason = why_not(options, smi, smi_path)
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    measurement = Measurement(options, smi, environment, journal)
    try:
        result = measurement.run()
    finally:
        measurement.close()
    print("\n".join(as_text(result)))
    try:
        file.write_text(json.dumps(as_json(result, facts()), indent=1) + "\n")
    except OSError as error:
        print(f"{file} cannot be written: {error.strerror}. Use --json FILE.", file=sys.stderr)
        return 1
    print(f"\nWritten to {file}, without names of the host, its users or its processes.")
    return 0


def facts() -> dict[str, object]:
    """The versions of vfiotop, the kernel and Python, and whether this is root."""
    return {
        "vfiotop": __version__, "kernel": platform.release(), "python": platform.python_version(),
        "root": os.geteuid() == 0,
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    usual = Options()
    parser = argparse.ArgumentParser(prog="python -m tests.real", description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("vfiotop-real.json"), metavar="FILE")
    parser.add_argument("--samples", type=int, default=usual.samples)
    parser.add_argument("--nvidia-smi", default="nvidia-smi", metavar="PROGRAM")
    given = parser.parse_args(arguments)
    return run(Options(samples=given.samples), given.nvidia_smi, given.json)


if __name__ == "__main__":
    sys.exit(main())
