"""A running guest, asked again and again for its cards, as seldom as that can be.

A program started in the guest costs the game in it something, so each reading is one
short process: two requests to the agent, the second when the process should have ended. It
leaves nothing behind whatever becomes of us; a process that stays and writes a file would be
read for less, and would outlive us. How long it took sets how soon the next one may start.
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
from tui.host.agent.nvidia_smi_errors import REMARKS_LIMIT, after_rows, meant, why_ended
from tui.model import GuestCard

SHARE = 0.02
"""The part of the time in which a process of ours may run in the guest."""

LONGEST = 60.0
"""Seconds between two readings of a guest that is slow, at most."""

PATIENCE = 5.0
"""Seconds that nvidia-smi gets to end."""

FIRST_LOOK = 0.1
"""Seconds after which the first nvidia-smi may have ended; later ones are known by then."""

RETRIES = (10.0, 30.0, 60.0, 300.0)
"""Seconds until a guest is asked again, after one, two, ... failures in a row."""


class GuestProbe:
    """What is known of one run of a guest. ``every`` is the shortest time between readings
    in seconds; ``clock`` gives monotonic seconds, ``wait`` lets some of them go by."""

    def __init__(
        self, every: float, clock: Callable[[], float], wait: Callable[[float], None]
    ) -> None:
        self._every = every
        self._clock = clock
        self._wait = wait
        self._paths: tuple[str, ...] = ()
        self._fields = FIELDS
        self._left_running: int | None = None
        self._took = FIRST_LOOK
        self._failures = 0
        self._asked_at: float | None = None
        self.due = clock()
        """When it is to be asked next."""
        self.remarks: tuple[str, ...] = ()
        """What nvidia-smi said beside its last answer, safe to draw."""

    def reset_backoff(self) -> None:
        """It was not asked for a while: what kept it from answering may have changed."""
        self._failures = 0
        if self._asked_at is not None:
            self.due = max(self._clock(), self._asked_at + self._pause())

    def ask(self, agent: Agent) -> tuple[str | None, tuple[GuestCard, ...]]:
        """The driver's version and the cards that the guest has now. Raises ``AgentError``."""
        self._asked_at = self._clock()
        self.remarks = ()
        try:
            if not self._paths:
                self._get_to_know(agent)
            ended, fields = self._query(agent)
            found = parse(ended.output, fields)
            self.remarks = _remarks(ended, fields, found[1])
        except MalformedOutput as error:
            self._failed(lasting=True)
            raise AgentError(f"nvidia-smi in the guest makes no sense: {error}") from error
        except AgentError as error:
            self._failed(error.lasting)
            raise
        self._failures = 0
        self.due = self._asked_at + self._pause()
        return found

    def _pause(self) -> float:
        return min(max(self._every, self._took / SHARE), max(self._every, LONGEST))

    def _failed(self, lasting: bool) -> None:
        self._failures = len(RETRIES) if lasting else min(self._failures + 1, len(RETRIES))
        self.due = self._clock() + RETRIES[self._failures - 1]

    def _get_to_know(self, agent: Agent) -> None:
        if not agent.may_run_programs():
            raise AgentError(
                "the guest's agent may not start programs: allow guest-exec and "
                "guest-exec-status in its configuration, in the guest",
                lasting=True,
            )
        self._paths = PATHS[agent.system()]

    def _query(self, agent: Agent) -> tuple[Outcome, tuple[str, ...]]:
        """What nvidia-smi writes, and the fields that it was asked for: an older one does not
        know all of them. A status other than 0 takes no complete row back."""
        while True:
            ended = self._run(agent, arguments(self._fields))
            if ended.status is not None and has_rows(ended.output):
                return _bounded(ended), self._fields
            fewer = without_unknown(self._fields, ended.said) if ended.status else None
            if fewer is not None:
                self._fields = fewer
            elif ended.status == 0 and meant(ended.said) is None:
                return _bounded(ended), self._fields
            else:
                why, lasting = why_ended(ended.status, ended.said)
                raise AgentError(why, lasting=lasting)

    def _run(self, agent: Agent, words: list[str]) -> Outcome:
        """Start nvidia-smi and wait for its end. One that does not end is waited for before
        another is started: they would pile up."""
        if self._left_running is not None:
            if self._still_runs(agent, self._left_running):
                raise _hangs()
            self._left_running = None
        began = self._clock()
        # Until its end is known it may run, also where the agent falls silent meanwhile.
        self._left_running = pid = self._start(agent, words)
        look = self._took
        while True:
            self._wait(look)
            ended = agent.outcome(pid)
            took = self._clock() - began
            if ended is not None:
                self._left_running = None
                # The time that it takes varies; it is followed down slowly, up at once.
                self._took = max(took, 0.8 * self._took)
                return ended
            if took > PATIENCE:
                raise _hangs()
            look = FIRST_LOOK

    def _still_runs(self, agent: Agent, pid: int) -> bool:
        """An agent that knows no such program any more was started anew itself."""
        try:
            return agent.outcome(pid) is None
        except AgentError as error:
            if not error.refused:
                raise
            return False

    def _start(self, agent: Agent, words: list[str]) -> int:
        """The first path at which there is an nvidia-smi is kept."""
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
            f"nvidia-smi cannot be started in the guest: install NVIDIA's driver there ({reason})",
            lasting=True,
        )


def _bounded(ended: Outcome) -> Outcome:
    if max(len(ended.output), len(ended.errors)) > OUTPUT_LIMIT:
        raise MalformedOutput("it says far more than was asked")
    return ended


def _remarks(ended: Outcome, fields: Sequence[str], cards: Sequence[GuestCard]) -> tuple[str, ...]:
    """What it said beside its rows; what its status adds to that, and to them, comes last."""
    said = remarks(ended.said, fields)
    status = after_rows(ended.status)
    known = [*said, *(remark for card in cards for remark in card.remarks)]
    if status is None or any(status in remark for remark in known):
        return said
    return (*said[: REMARKS_LIMIT - 1], status)


def _hangs() -> AgentError:
    return AgentError(f"nvidia-smi in the guest does not end within {PATIENCE:.0f} s")
