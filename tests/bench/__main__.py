"""``python -m tests.bench``: measure what vfiotop costs next to nvitop and nvtop, on the same
stand-in for NVML, and print medians of several runs next to the figures of the last release.

It is a report: nothing here fails for being slow.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from tests.bench import baseline, measure, subjects, swaps, usage
from tests.bench.layouts import Layout, large, lay_out_all, usual
from tests.bench.report import BARE, GROUPS, NVITOP, NVTOP, OURS, USUAL, Report, percentile
from tests.bench.subjects import Absent, Subject
from tests.libvirt.daemon import daemon, missing
from tests.nvml.build import build
from tui import __version__

STARTS = 5
"""Starts of each program per run: they are quick, and vary."""

KEYS = 60
"""Keys pressed per run."""

LIBVIRT = "/libvirt.so."
"""The library that a libvirtd has in common with the watch."""

BUSY_PCT = 10.0
"""Percent of a core that other programs may use before a warning."""


class Bench:
    """Collects the values of the runs; watches each program for ``seconds``."""

    def __init__(self, places: Mapping[str, Path], seconds: float) -> None:
        self._usual_host, self._large_host = places["usual"], places["large"]
        self._seconds = seconds
        self.values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.others: list[float] = []
        self._unmeasured: set[str] = set()
        self.keys: dict[str, list[measure.Pressed]] = defaultdict(list)
        self.subjects: dict[str, Subject | Absent] = {
            OURS: subjects.vfiotop(self._usual_host),
            BARE: subjects.bare_textual(),
            NVITOP: subjects.nvitop(),
            NVTOP: subjects.nvtop(self._usual_host),
        }
        for subject in self.present():  # compiles and caches before the first measurement
            measure.start(subject, self._usual_host)

    def present(self, *names: str) -> list[Subject]:
        wanted = names or tuple(self.subjects)
        found = (self.subjects[name] for name in wanted)
        return [subject for subject in found if isinstance(subject, Subject)]

    def run(self, groups: list[str]) -> None:
        """Measure every figure once."""
        for group in groups:
            getattr(self, f"_{group}")()

    def _steady(self) -> None:
        for subject in self.present(OURS, NVITOP, NVTOP):
            _say(f"{subject.name} for {self._seconds:g} s")
            self._take(subject.name, measure.steady(subject, self._usual_host, self._seconds))
        _say(f"vfiotop in plain colours for {self._seconds:g} s")
        subject = subjects.vfiotop(self._usual_host, plain=True)
        seen = measure.steady(subject, self._usual_host, self._seconds)
        self.others.append(seen.others_pct)
        self.values["plain"][OURS].append(seen.bytes_per_s)

    def _take(self, name: str, seen: measure.Steady) -> None:
        self.others.append(seen.others_pct)
        for key, value in (
            ("graded", seen.bytes_per_s), ("cpu", seen.cpu_pct), ("pss", seen.pss_mib),
            ("rss", seen.rss_mib), ("child", seen.child_mib),
        ):  # fmt: skip
            if value is not None:
                self.values[key][name].append(value)
        if name != OURS:  # their colours are the same in both
            self.values["plain"][name].append(seen.bytes_per_s)

    def _still(self) -> None:
        _say("vfiotop while nothing changes")
        subject = subjects.vfiotop(self._usual_host, still=True)
        seen = measure.steady(subject, self._usual_host, self._seconds / 2, still=True)
        self.values["still"][OURS].append(seen.bytes_per_s)

    def _start(self) -> None:
        _say("starts")
        for _ in range(STARTS):
            for subject in self.present():
                reading, values = measure.start(subject, self._usual_host)
                self.values["start"][subject.name].append(reading)
                if subject.name != BARE:
                    self.values["values"][subject.name].append(values)

    def _keys(self) -> None:
        _say(f"{KEYS} keys")
        subject = subjects.vfiotop(self._usual_host, still=True)
        pressed = list(measure.keys(subject, self._usual_host, KEYS))
        for figure, name in (("key", "first_ms"), ("frame", "frame_ms"), ("answer", "last_ms")):
            times = _known(pressed, name)
            self.values[figure][OURS].append(percentile(times, 0.99))
        for each in pressed:
            self.keys[each.key].append(each)

    def _large(self) -> None:
        """Compare with the same program on the usual host, measured right before."""
        for name, folder in ((USUAL, self._usual_host), (OURS, self._large_host)):
            _say(f"vfiotop for {self._seconds:g} s on the {folder.name} host")
            seen = measure.steady(subjects.vfiotop(folder), folder, self._seconds)
            self.others.append(seen.others_pct)
            self.values["large"][name].append(seen.cpu_pct)

    def _watch(self) -> None:
        if os.geteuid() != 0:
            self._unmeasured.add("The watch is not measured: only root's keeps a history.")
            return
        if usage.is_mapped(LIBVIRT):
            self._unmeasured.add("The watch is not measured without a libvirtd: this host has one.")
        else:
            _say(f"the watch for {self._seconds:g} s")
            self.values["alone"][OURS].append(measure.watch(self._usual_host, self._seconds))
        if packages := missing():
            needed = ", ".join(packages)
            self._unmeasured.add(f"The watch is not measured beside a libvirtd: install {needed}.")
        else:
            _say(f"the watch beside a libvirtd for {self._seconds:g} s")
            with daemon():
                self.values["watch"][OURS].append(measure.watch(self._usual_host, self._seconds))

    def take_swaps(self) -> None:
        """Take over what the lab measured last. Raises ``OSError`` and msgspec's
        ``MsgspecError``."""
        found = swaps.read()
        if found is not None:
            self.values["swap"][OURS].append(swaps.longest_s(found))

    def notes(self) -> list[str]:
        """Remarks that a reader of the table needs."""
        notes = [f"{each.name} is not measured: {each.why}." for each in self.subjects.values()
                if isinstance(each, Absent)]  # fmt: skip
        notes.append(swaps.TAKEN if "swap" in self.values else swaps.MISSING)
        notes += sorted(self._unmeasured)
        if self.keys:
            notes.append("Keys, medians until the first and the last frame is whole; bytes; CPU:")
            notes += [_key_line(key, pressed) for key, pressed in self.keys.items()]
        worst = max(self.others, default=0.0)
        if worst > BUSY_PCT:
            notes.append(
                f"WARNING: other programs used up to {worst:.0f} % of a core; "
                "run it again when the machine is idle."
            )
        return notes


def _known(pressed: Sequence[measure.Pressed], name: str) -> list[float]:
    values = (getattr(each, name) for each in pressed)
    return [value for value in values if value is not None]


def _key_line(key: str, pressed: Sequence[measure.Pressed]) -> str:
    mute = sum(each.first_ms is None for each in pressed)
    if mute == len(pressed):
        return f"  {key:<5} changed nothing"
    frame, last, written, cpu = (
        median(_known(pressed, name)) for name in ("frame_ms", "last_ms", "written", "cpu_ms")
    )
    said = f"  {key:<5} {frame:>4.0f} ms {last:>4.0f} ms {written:>6.0f} B {cpu:>4.0f} ms"
    return f"{said}; {mute} of {len(pressed)} changed nothing" if mute else said


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _load() -> str:
    return "{:.2f} {:.2f} {:.2f}".format(*os.getloadavg())


def _prepare(folder: Path, layout: Layout) -> Path:
    folder.mkdir()
    build(folder)
    lay_out_all(layout, folder)
    return folder


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each figure (3)")
    parser.add_argument("--seconds", type=float, default=20, help="seconds per program (20)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the values to FILE")
    parser.add_argument(
        "--only", action="append", choices=GROUPS, metavar="FIGURE", help=", ".join(GROUPS)
    )
    parser.add_argument(
        "--save-baseline", action="store_true", help="keep the figures as those of this version"
    )
    given = parser.parse_args()
    if given.save_baseline and given.only:
        parser.error("a baseline has all figures: leave out --only")
    return given


def main() -> None:
    """Measure and print the table."""
    given = _arguments()
    layouts = {"usual": usual(), "large": large()}
    released = baseline.read()
    began = _load()
    with tempfile.TemporaryDirectory(prefix="vfiotop-bench-") as made:
        places = {name: _prepare(Path(made) / name, each) for name, each in layouts.items()}
        bench = Bench(places, given.seconds)
        bench.take_swaps()
        for number in range(given.runs):
            _say(f"run {number + 1} of {given.runs}")
            bench.run(given.only or list(GROUPS))
    report = Report(
        bench.values,
        released,
        [f"The {name} host: {each.size}." for name, each in layouts.items()] + bench.notes(),
        f"Medians of {given.runs} runs. {subjects.surroundings(bench.subjects)}; Python "
        f"{sys.version.split()[0]}; {os.cpu_count()} cores, load {began} before, {_load()} after.",
    )
    print(report.text())
    if given.json:
        given.json.write_text(json.dumps(report.json(), indent=1) + "\n")
    if given.save_baseline:
        baseline.write(report.baseline(__version__))
        _say(f"{baseline.FILE} has the figures of {__version__}")


if __name__ == "__main__":
    main()
