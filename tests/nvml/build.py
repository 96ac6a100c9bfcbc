"""Compiles the stand-in ``libnvidia-ml.so.1`` that the real pynvml loads in tests."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path(__file__).with_name("nvml_stand_in.c")
LIBRARY = "libnvidia-ml.so.1"


def build(target: Path, missing: Sequence[str] = ()) -> Path:
    """Compile the stand-in into the folder ``target``; return the path of the library.

    It does not export the functions in ``missing``, like an older driver's library. Needs a C
    compiler named ``cc``.
    """
    library = target / LIBRARY
    exports = target / "exports.map"
    hidden = " ".join(f"{name};" for name in missing)
    exports.write_text(f"{{ global: nvml*; local: {hidden} *; }};\n")
    subprocess.run(
        ["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
         f"-Wl,-soname,{LIBRARY}", f"-Wl,--version-script={exports}",
         "-o", str(library), str(SOURCE)],
        check=True,
    )  # fmt: skip
    return library


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("target", type=Path, help="the folder to put it into")
    arguments.add_argument("--missing", nargs="*", default=(), metavar="FUNCTION")
    given = arguments.parse_args()
    given.target.mkdir(parents=True, exist_ok=True)
    print(build(given.target, given.missing))
