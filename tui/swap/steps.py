"""Executes the steps of a swap one at a time, and restores a function from what was recorded.

A step that does not return is STUCK: its writer is left to the kernel and nothing else touches
the function. The swap continues when the kernel returns.
"""

from __future__ import annotations

from tui.host.journal.entry import Entry, Origin
from tui.model import Direction, Holders, NvidiaModule, Step
from tui.rules import driver_gates, holder_checks
from tui.swap.machine import Machine, RunningStep
from tui.swap.plan import CLEAR, DEVICES, OVERRIDE_S, PROBE_S, power, unbind_path
from tui.swap.progress import Progress
from tui.swap.verify import POLL_S, StepFailed, Verifier, error_text

UNDO_UNBIND_S = 60.0
"""Seconds that an unbind may take in an undo."""


class StepExecutor:
    """Executes steps on ``machine``. ``lock`` is the descriptor of the journal's lock, which each
    child inherits. Methods return the entry as journaled, and raise ``StepFailed``,
    ``JournalError`` and ``OSError``."""

    def __init__(self, machine: Machine, progress: Progress, verifier: Verifier, lock: int) -> None:
        self._machine = machine
        self._progress = progress
        self._verifier = verifier
        self._lock = lock
        self.warnings: list[str] = []
        """What was not restored, although the swap is done."""

    def execute(self, entry: Entry, step: Step, direction: Direction) -> Entry:
        """Execute a step and verify what it has done."""
        if step.kind == "node":
            self._verifier.wait_for_node(step)
            return entry
        if step.kind == "nvml":
            self._verifier.require_nvml(step)
            return entry
        if step.kind == "drivers" and self._verifier.host_drivers_loaded(entry):
            return entry
        if step.kind == "power":
            return self._set_power(entry, step)
        address = step.address
        if address is not None and self._machine.removing(address):
            raise StepFailed(f"the driver of {address} has not released it yet")
        if step.kind == "unbind" and address is not None:
            self._verifier.require_free([address])
        entry, result = self._finish(entry, self._machine.start(step, self._lock), step)
        if step.kind == "unbind" and address is not None:
            self._verifier.wait_until_unbound(address, step, result)
        elif step.kind == "probe" and address is not None:
            self._verifier.require_probed(address, step, direction, result)
        elif result and step.kind != "drivers":  # the probes show whether the drivers suffice
            raise StepFailed(error_text(result))
        return entry

    def restore_driver(self, entry: Entry, origin: Origin) -> Entry:
        """Give a function back its driver and its override."""
        address = origin.address
        if not self._machine.exists(f"{DEVICES}/{address}"):
            return entry  # off the bus: there is nothing to restore
        if self._machine.removing(address):
            raise StepFailed("its driver has not released it")
        now = self._machine.driver(address)
        # The kernel binds a function only to the driver that its override names, if it has one,
        # and the recorded override may name another driver than the one that the function was on
        # (drivers/pci/pci-driver.c, pci_match_device). Then the override is restored last.
        moves = origin.driver not in (None, now)
        bars = moves and origin.override not in (None, origin.driver)
        meanwhile = origin.driver if bars else origin.override
        entry = self._write(entry, _override(address, meanwhile))
        if now == origin.driver:
            return entry
        if now is not None:
            if now == "nvidia" and driver_gates.may_hold_card(self._machine.module()):
                raise StepFailed("nvidia_drm with modeset does not release it")
            self._verifier.wait_until_free([address])
            entry = self._write(
                entry, Step("unbind", address, UNDO_UNBIND_S, address, unbind_path(now))
            )
        if origin.driver is not None:
            entry = self._write(
                entry, Step("probe", address, PROBE_S, address,
                            f"/sys/bus/pci/drivers/{origin.driver}/bind"),
            )  # fmt: skip
        if meanwhile != origin.override:
            entry = self._write(entry, _override(address, origin.override))
        if self._machine.driver(address) != origin.driver:
            found = self._machine.driver(address)
            raise StepFailed(f"on {found or 'no driver'} and not {origin.driver or 'none'}")
        return entry

    def restore_power(self, entry: Entry, origin: Origin) -> Entry:
        """Give a function back its power/control, if that was recorded."""
        if origin.power is None:
            return entry
        return self._set_power(entry, power(origin.address, origin.power))

    def _set_power(self, entry: Entry, step: Step) -> Entry:
        """Write power/control. A failure is a warning: the card has moved and works."""
        address = step.address or ""
        if self._machine.power(address) in (step.value, None):  # None: it is off the bus
            return entry
        entry = self._write(entry, step)
        if self._machine.power(address) != step.value:
            self.warnings.append(
                f"runtime power management of {address} was not restored: {step.text} failed"
            )
        return entry

    def _write(self, entry: Entry, step: Step) -> Entry:
        """Make a write whose effect the caller verifies."""
        entry, _ = self._finish(entry, self._machine.start(step, self._lock), step)
        return entry

    def _finish(self, entry: Entry, running: RunningStep, step: Step) -> tuple[Entry, int]:
        """Wait for a step for as long as it takes; it is stuck after its time limit.

        Nothing is raised before it ends: an undo in parallel would write to what it still moves.
        """
        entry = self._progress.note_later(entry, writer=running.process)
        result = running.result(step.limit_s)
        if result is None:
            entry = self._progress.note_later(
                entry, state="stuck", message="the kernel does not return"
            )
            entry = self._progress.note_later(entry, message=self._why_stuck(step))
            while (result := running.result(POLL_S)) is None:
                pass
            entry = self._progress.note_later(entry, state=self._progress.state, message=None)
        entry = self._progress.note_later(entry, writer=None)
        self._progress.raise_error()
        return entry, result

    # --- why it is stuck --------------------------------------------------------------

    def _why_stuck(self, step: Step) -> str:
        found = self._machine.holders([step.address]) if step.address else Holders(())
        if isinstance(found, Holders) and found.holders:
            first = found.holders[0]
            who = f"the kernel waits for {first.name} ({first.pid}, {first.what})"
            if driver_gates.never_recovers(self._module_of(step)):
                return f"{who}, and this driver does not notice its exit: only a reboot helps"
            return (
                holder_checks.readers_still_there([first])
                if first.ours
                else f"{who}: {holder_checks.how_to_stop(first)}"
            )
        return "the kernel does not return; its log may say what it waits for"

    def _module_of(self, step: Step) -> NvidiaModule | None:
        """The nvidia module, if that is what the step waits for."""
        return self._machine.module() if step.path and "/nvidia/" in step.path else None


def _override(address: str, driver: str | None) -> Step:
    path = f"{DEVICES}/{address}/driver_override"
    return Step("override", driver or CLEAR, OVERRIDE_S, address, path)
