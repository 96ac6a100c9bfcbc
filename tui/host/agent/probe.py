"""Reads the cards of one running guest, no more often than is useful.

A process in the guest costs the game some time, so each reading is one short process: one request
to the agent that starts it, and a second one when it should have exited. It leaves nothing behind,
whatever happens to us. A long-running process that writes a file would be cheaper to read, but
would outlive us. The run time of one process sets how soon the next one may start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui.host.agent.channel import Agent, AgentError, Outcome
from tui.host.agent.nvidia_smi import (
    FIELDS,
    OUTPUT_LIMIT,
    PATHS,
    MalformedOutput,
    arguments,
    has_rows,
    parse,
    remarks,
    without_unknown,
)
from tui.host.agent.nvidia_smi_errors import REMARKS_LIMIT, explain, status_remark, why_ended
from tui.model import GuestCard

DUTY_CYCLE = 0.02
"""The share of time for which our process may run in the guest."""

MAX_INTERVAL_S = 60.0
"""Seconds between two readings of a slow guest, at most."""

TIMEOUT_S = 5.0
"""Seconds that nvidia-smi gets to exit."""

FIRST_POLL_S = 0.1
"""Seconds until the first poll of the first nvidia-smi; later polls use its measured run time."""

BACKOFF_S = (10.0, 30.0, 60.0, 300.0)
"""Seconds until the next attempt, after one, two, ... failures in a row."""


class GuestProbe:
    """The readings of one run of a guest.

    ``every`` is the minimum interval in seconds; ``clock`` gives monotonic seconds, ``wait``
    sleeps.
    """

    def __init__(
        self, every: float, clock: Callable[[], float], wait: Callable[[float], None]
    ) -> None:
        self._every = every
        self._clock = clock
        self._wait = wait
        self._paths: tuple[str, ...] = ()
        self._fields = FIELDS
        self._left_running: int | None = None
        self._duration = FIRST_POLL_S
        self._failures = 0
        self._asked_at: float | None = None
        self.due = clock()
        """When the next reading is due."""
        self.remarks: tuple[str, ...] = ()
        """What nvidia-smi wrote besides the last reading's rows, safe to draw."""

    def reset_backoff(self) -> None:
        """Forget failures: after a pause, their cause may be gone."""
        self._failures = 0
        if self._asked_at is not None:
            self.due = max(self._clock(), self._asked_at + self._interval())

    def ask(self, agent: Agent) -> tuple[str | None, tuple[GuestCard, ...]]:
        """Read the driver's version and the guest's cards. Raises ``AgentError``."""
        self._asked_at = self._clock()
        self.remarks = ()
        try:
            if not self._paths:
                self._find_program(agent)
            ended, fields = self._query(agent)
            found = parse(ended.output, fields)
            self.remarks = _remarks(ended, fields, found[1])
        except MalformedOutput as error:
            self._back_off(permanent=True)
            raise AgentError(f"nvidia-smi in the guest wrote malformed output: {error}") from error
        except AgentError as error:
            self._back_off(error.permanent)
            raise
        self._failures = 0
        self.due = self._asked_at + self._interval()
        return found

    def _interval(self) -> float:
        return min(max(self._every, self._duration / DUTY_CYCLE), max(self._every, MAX_INTERVAL_S))

    def _back_off(self, permanent: bool) -> None:
        self._failures = len(BACKOFF_S) if permanent else min(self._failures + 1, len(BACKOFF_S))
        self.due = self._clock() + BACKOFF_S[self._failures - 1]

    def _find_program(self, agent: Agent) -> None:
        if not agent.may_run_programs():
            raise AgentError(
                "the guest's agent may not start programs: allow guest-exec and "
                "guest-exec-status in its configuration in the guest",
                permanent=True,
            )
        self._paths = PATHS[agent.system()]

    def _query(self, agent: Agent) -> tuple[Outcome, tuple[str, ...]]:
        """Run nvidia-smi, without the fields that an older one rejects.

        Returns its outcome and the fields. Complete rows are valid even if the status is not 0.
        """
        while True:
            ended = self._run(agent, arguments(self._fields))
            if ended.status is not None and has_rows(ended.output):
                return _check_size(ended), self._fields
            fewer = without_unknown(self._fields, ended.text) if ended.status else None
            if fewer is not None:
                self._fields = fewer
            elif ended.status == 0 and explain(ended.text) is None:
                return _check_size(ended), self._fields
            else:
                why, permanent = why_ended(ended.status, ended.text)
                raise AgentError(why, permanent=permanent)

    def _run(self, agent: Agent, words: list[str]) -> Outcome:
        """Start nvidia-smi and wait until it exits.

        Does not start another one while the previous one hangs: they would pile up.
        """
        if self._left_running is not None:
            if self._is_running(agent, self._left_running):
                raise _timed_out()
            self._left_running = None
        began = self._clock()
        # It counts as running until we know its end, even if the agent stops responding.
        self._left_running = pid = self._start(agent, words)
        delay = self._duration
        while True:
            self._wait(delay)
            ended = agent.outcome(pid)
            took = self._clock() - began
            if ended is not None:
                self._left_running = None
                # The run time varies: follow a rise at once, a fall slowly.
                self._duration = max(took, 0.8 * self._duration)
                return ended
            if took > TIMEOUT_S:
                raise _timed_out()
            delay = FIRST_POLL_S

    def _is_running(self, agent: Agent, pid: int) -> bool:
        """Whether a program runs; if the agent does not know it, the agent was restarted."""
        try:
            return agent.outcome(pid) is None
        except AgentError as error:
            if not error.refused:
                raise
            return False

    def _start(self, agent: Agent, words: list[str]) -> int:
        """Start the first nvidia-smi that exists, and remember its path."""
        for path in self._paths:
            try:
                pid = agent.start(path, words)
            except AgentError as error:
                if not error.refused:
                    raise
                reason = error
            else:
                self._paths = (path,)
                return pid
        raise AgentError(
            f"nvidia-smi cannot be started in the guest: install the NVIDIA driver "
            f"there ({reason})",
            permanent=True,
        )


def _check_size(ended: Outcome) -> Outcome:
    if max(len(ended.output), len(ended.errors)) > OUTPUT_LIMIT:
        raise MalformedOutput("far more than was requested")
    return ended


def _remarks(ended: Outcome, fields: Sequence[str], cards: Sequence[GuestCard]) -> tuple[str, ...]:
    """Return what it wrote besides its rows, then what its status adds to that."""
    said = remarks(ended.text, fields)
    status = status_remark(ended.status)
    known = [*said, *(remark for card in cards for remark in card.remarks)]
    if status is None or any(status in remark for remark in known):
        return said
    return (*said[: REMARKS_LIMIT - 1], status)


def _timed_out() -> AgentError:
    return AgentError(f"nvidia-smi in the guest does not exit within {TIMEOUT_S:.0f} s")
