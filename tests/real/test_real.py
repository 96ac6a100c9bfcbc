"""The comparison with nvidia-smi, on the stand-in for NVML and one for nvidia-smi."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.nvml.conftest import ONE, TWO, Machine
from tests.real import __main__ as real
from tests.real.compare import Sample, compare, compare_processes
from tests.real.measure import Options
from tests.real.smi import Used, parse_details, parse_rows
from tests.thorough import thorough
from tests.values import NVML_METRICS
from tui.model import GpuProcess

STAND_IN = Path(__file__).with_name("smi_stand_in.py")


class Bench:
    """A machine with both stand-ins. Time passes while the measurement pauses."""

    def __init__(self, machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
        self.machine, self._capsys = machine, capsys
        self.file = machine.root / "real.json"
        self.says = machine.root / "smi-says"
        self.says.touch()
        self.smi = machine.root / "nvidia-smi"
        found = importlib.util.find_spec("pynvml")
        assert found is not None and found.origin is not None
        words = [sys.executable, "-I", "-S", str(STAND_IN), str(Path(found.origin).parent)]
        self.smi.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        self.smi.chmod(0o755)
        self.pauses: list[tuple[int, str, str]] = []

    def pause(self, seconds: float) -> None:
        self.machine.now += seconds
        if self.pauses:
            left, address, status = self.pauses[0]
            self.pauses[0] = (left - 1, address, status)
            if left <= 1:
                self.pauses.pop(0)
                self.machine.power(address, status)

    def run(self, samples: int = 2, smi: str | None = None) -> tuple[int, str]:
        """The exit code, and what is printed."""
        options = Options(
            self.machine.root, samples, asleep_s=3, falls_asleep_s=30, pause=self.pause,
            clock=lambda: self.machine.now,
        )  # fmt: skip
        more = {**self.machine.environment(), "VFIOTOP_STANDIN_SMI": str(self.says)}
        code = real.run(options, smi or str(self.smi), self.file, more, self.machine.journal)
        return code, "".join(self._capsys.readouterr())

    def card(self, address: str = ONE) -> Mapping[str, Any]:
        """What was written about a card."""
        written = json.loads(self.file.read_text())
        found: Mapping[str, Any] = next(c for c in written["cards"] if c["address"] == address)
        return found

    def words(self, address: str = ONE) -> dict[str, str]:
        return {name: each["word"] for name, each in self.card(address)["metrics"].items()}


@pytest.fixture
def bench(machine: Machine, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(machine, capsys)


def test_two_programs_that_ask_one_library_say_the_same(bench: Bench) -> None:
    bench.machine.control(f"{ONE} process graphics 1 512", f"{ONE} process compute 2 64")
    code, said = bench.run()
    assert code == 0
    assert set(bench.words()) == set(NVML_METRICS)
    assert set(bench.words().values()) | set(bench.words(TWO).values()) == {"same"}
    assert bench.card()["processes"] == {"both": 2, "missing": 0, "extra": 0, "memory": 0}
    assert "Everything is as nvidia-smi says." in said
    written = json.loads(bench.file.read_text())
    cost = written["cost"]
    assert cost["readings"] == 3 and 10 < cost["calls"] < 60
    assert cost["cpu_ms"] > 0 and cost["start_cpu_ms"] > 0 and cost["pss_mib"] > 1
    assert "samples" in bench.card() and len(bench.card()["samples"]) == 2


def test_what_differs_is_named(bench: Bench) -> None:
    bench.says.write_text("temperature.gpu 99\nclocks.mem [N/A]\n")
    bench.machine.control(f"{ONE} fan unsupported", f"{ONE} mem_clock 405")
    code, said = bench.run()
    words = bench.words()
    assert code == 0
    assert (words["temp_c"], words["fan_pct"], words["mem_clock_mhz"]) == (
        "differs", "not supported", "only vfiotop",
    )  # fmt: skip
    assert "DIFFERS in 2 of 2 samples" in said
    assert said.splitlines()[-3] == "Not as nvidia-smi says: temp_c."


def test_a_data_centre_card_has_no_fan_no_graphics_clock_and_mig(bench: Bench) -> None:
    bench.says.write_text("mig Enabled\nclocks_event_reasons.active -\nutilization.encoder -\n")
    bench.machine.control(
        f"{ONE} name NVIDIA H200", f"{ONE} fan unsupported", f"{ONE} clock unsupported",
        f"{ONE} util unsupported",
    )  # fmt: skip
    code, said = bench.run()
    words = bench.words()
    assert code == 0
    assert {words["fan_pct"], words["clock_mhz"], words["util_pct"]} == {"not supported"}
    assert (words["throttle"], words["enc_pct"]) == ("same", "only vfiotop")
    assert f"{ONE} NVIDIA H200, MIG Enabled" in said


def test_a_card_that_cannot_be_read_says_why(bench: Bench) -> None:
    bench.machine.control(f"{TWO} fault error6")
    code, said = bench.run()
    assert code == 0
    assert "NVML does not list this card\n  nothing was compared\n" in said
    assert set(bench.words(TWO).values()) == {"not supported"}
    assert set(bench.words(ONE).values()) == {"same"}


def test_a_card_asleep_is_left_asleep(bench: Bench) -> None:
    bench.machine.power(TWO, "suspended")
    bench.run()
    assert bench.card(TWO)["sleep"] == "was asleep and still is after 3 s of reading"
    assert bench.card(TWO)["power"][0] == ["suspended", "auto"]
    assert bench.card(ONE)["sleep"] == "runtime power management is off (power/control is on)"


@pytest.mark.thorough
def test_a_card_that_wakes_up_is_told(bench: Bench) -> None:
    bench.machine.power(TWO, "suspended")
    bench.pauses = [(2, TWO, "active")]
    _, said = bench.run()
    assert bench.card(TWO)["sleep"] == "was asleep and woke up after 2 s"
    assert f"While vfiotop read, {TWO} woke up." in said


def test_an_idle_card_falls_asleep_while_it_is_read(bench: Bench) -> None:
    idle = [f"{ONE} {word} 0" for word in ("util", "enc", "dec")]
    bench.machine.control(*idle)
    bench.machine.power(ONE, "active")
    bench.pauses = [(20, ONE, "suspended")]
    bench.run()
    assert bench.card()["sleep"] == "fell asleep after 18 s of reading"


@pytest.mark.thorough
def test_a_card_that_is_busy_stays_awake(bench: Bench) -> None:
    bench.machine.control(f"{ONE} util 50")
    bench.machine.power(ONE, "active")
    bench.run()
    assert bench.card()["sleep"] == "stayed awake for 30 s of reading (not idle, so not released)"


@pytest.mark.thorough
def test_nothing_that_names_somebody_is_written(bench: Bench) -> None:
    bench.machine.control(f"{ONE} process compute 4711 64", f"{ONE} uuid GPU-secret")
    bench.run()
    written = bench.file.read_text()
    assert [word for word in ("4711", "secret", "process-", "hostname") if word in written] == []


@pytest.mark.parametrize("there", [True, *thorough(False)])
def test_without_a_card_it_is_one_sentence_and_exit_code_1(bench: Bench, there: bool) -> None:
    bench.machine.unbind(ONE)
    bench.machine.unbind(TWO)
    code, said = bench.run(smi=None if there else "/no/nvidia-smi")
    assert (code, said) == (1, f"{real.NO_CARD}\n")
    assert not bench.file.exists()


def test_without_nvidia_smi_it_is_one_sentence_too(bench: Bench) -> None:
    assert bench.run(smi="/no/nvidia-smi") == (1, f"{real.NO_SMI}\n")


# --- what two moments explain -----------------------------------------------------


def word(*samples: tuple[object, object, object], name: str = "util_pct") -> str:
    made = [Sample({name: a}, {name: b}, {name: c}) for a, b, c in samples]  # type: ignore[dict-item]
    return next(each.word for each in compare(made) if each.metric == name)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([(10, 50, 90)], "same"),
        ([(10, 95, 90)], "differs"),
        ([(10, 50, 90), (10, 20, 30), (10, 99, 30)], "moves"),
        ([(10, 50, 20), (10, 60, 20), (10, 15, 20)], "differs"),
        ([(10, None, 90)], "only vfiotop"),
        ([(None, 5, None)], "only nvidia-smi"),
        ([(None, None, None)], "not supported"),
        ([], "not supported"),
    ],
)
def test_a_value_between_two_readings_is_explained(
    samples: Sequence[tuple[object, object, object]], expected: str
) -> None:
    assert word(*samples) == expected


def test_what_slows_a_card_is_compared_as_a_whole() -> None:
    cap = ("power cap",)
    assert word(((), cap, cap), name="throttle") == "same"
    assert word(((), cap, ()), name="throttle") == "differs"


def test_a_link_is_compared_exactly() -> None:
    assert word((4, 4, 4), name="pcie_gen") == "same"
    assert word((4, 3, 4), name="pcie_gen") == "differs"


def test_a_process_that_came_or_went_meanwhile_is_no_difference() -> None:
    def ours(*pids: int) -> list[GpuProcess]:
        return [GpuProcess(pid, "x", "compute", 100.0) for pid in pids]

    theirs = [Used(1, "C", 100.0), Used(2, "C", 164.0), Used(3, "G", 100.0), Used(9, "C", None)]
    found = compare_processes(ours(1, 2, 3, 4, 5), theirs, ours(1, 2, 5))
    assert (found.both, found.missing, found.extra) == ((1, 2, 3), (9,), (5,))
    assert found.memory == (2,)


def test_rows_of_another_shape_are_skipped() -> None:
    output = (
        "Unable to determine the device handle for GPU0: Unknown Error\n"
        "00000000:01:00.0, 37, [N/A]\n00000000:02:00.0, 1\n"
    )
    assert parse_rows(output, ["util_pct", "fan_pct"]) == {ONE: {"util_pct": 37, "fan_pct": None}}


def test_the_xml_of_a_card_without_a_threshold() -> None:
    output = (
        '<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n'
        '<nvidia_smi_log><gpu id="00000000:02:00.0"><product_name>NVIDIA H100</product_name>'
        "<mig_mode><current_mig>Disabled</current_mig></mig_mode><temperature>"
        "<gpu_temp_slow_threshold>N/A</gpu_temp_slow_threshold></temperature>"
        "</gpu></nvidia_smi_log>"
    )
    found = parse_details(output)[TWO]
    assert (found.name, found.mig, found.slowdown_c) == ("NVIDIA H100", "Disabled", None)
    assert found.processes == ()
