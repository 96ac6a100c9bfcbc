"""Reading the cards of a guest through a fake agent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from tests.unit.host.agent.test_nvidia_smi import output, unknown
from tui.host.agent.channel import REPLY_LIMIT, Agent, AgentError
from tui.host.agent.probe import BACKOFF_S, MAX_INTERVAL_S, TIMEOUT_S, GuestProbe

EVERY = 5.0


class FakeGuest:
    """An agent that speaks QEMU's protocol.

    ``ends_after`` is the run time of its nvidia-smi; time passes only while somebody waits.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.commands: list[str] = []
        self.started: list[tuple[str, list[str]]] = []
        self.system = "mswindows"
        self.enabled = True
        self.there: Callable[[str], bool] = lambda path: True
        self.says: list[tuple[int, str]] = [(0, output())]
        self.errors = ""
        self.ends_after = 0.05
        self.replies: dict[str, str] = {}
        self._running: dict[int, float] = {}

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def send(self, text: str) -> str:
        request = json.loads(text)
        command = request["execute"]
        self.commands.append(command)
        if command in self.replies:
            return self.replies[command]
        return json.dumps({"return": getattr(self, f"_{command.replace('-', '_')}")(request)})

    def _guest_info(self, _: object) -> object:
        names = ("guest-exec", "guest-exec-status", "guest-ping")
        return {"supported_commands": [{"name": n, "enabled": self.enabled} for n in names]}

    def _guest_get_osinfo(self, _: object) -> object:
        return {"id": self.system, "name": "x"}

    def _guest_exec(self, request: dict[str, dict[str, object]]) -> object:
        arguments = request["arguments"]
        path, words = str(arguments["path"]), arguments["arg"]
        assert isinstance(words, list)
        if not self.there(path):
            raise AgentError(f"no: cannot execute {path}", refused=True)
        self.started.append((path, words))
        self._running[len(self.started)] = self.now
        return {"pid": len(self.started)}

    def _guest_exec_status(self, request: dict[str, dict[str, int]]) -> object:
        pid = request["arguments"]["pid"]
        if self.now < self._running[pid] + self.ends_after:
            return {"exited": False}
        status, said = self.says[min(pid, len(self.says)) - 1]
        told = {"out-data": said, "err-data": self.errors}
        data = {k: base64.b64encode(v.encode()).decode() for k, v in told.items() if v}
        return {"exited": True, "exitcode": status, **data}


@pytest.fixture
def guest() -> FakeGuest:
    return FakeGuest()


@pytest.fixture
def talk(guest: FakeGuest) -> GuestProbe:
    return GuestProbe(EVERY, lambda: guest.now, guest.wait)


def failure(talk: GuestProbe, guest: FakeGuest) -> str:
    with pytest.raises(AgentError) as caught:
        talk.ask(Agent(guest.send))
    return str(caught.value)


def test_the_first_reading_gets_to_know_the_guest_and_the_next_costs_two_calls(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    version, (card,) = talk.ask(Agent(guest.send))
    assert (version, card.metrics.util_pct) == ("572.83", 97)
    assert guest.commands == [
        "guest-info", "guest-get-osinfo", "guest-exec", "guest-exec-status",
    ]  # fmt: skip
    guest.commands.clear()
    talk.ask(Agent(guest.send))
    assert guest.commands == ["guest-exec", "guest-exec-status"]


@pytest.mark.parametrize(
    ("system", "path"),
    [("mswindows", r"C:\Windows\System32\nvidia-smi.exe"), ("debian", "nvidia-smi")],
)
def test_where_nvidia_smi_is(talk: GuestProbe, guest: FakeGuest, system: str, path: str) -> None:
    guest.system = system
    talk.ask(Agent(guest.send))
    assert guest.started[0][0] == path


def test_the_path_that_was_found_is_kept(talk: GuestProbe, guest: FakeGuest) -> None:
    guest.there = lambda path: "NVSMI" in path
    for _ in range(2):
        talk.ask(Agent(guest.send))
    assert guest.commands.count("guest-exec") == 3


def test_no_nvidia_smi_is_said_and_not_looked_for_all_the_time(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    guest.there = lambda path: False
    assert failure(talk, guest).startswith("nvidia-smi cannot be started in the guest: install")
    assert talk.due == guest.now + BACKOFF_S[-1]


def test_an_agent_that_may_not_start_programs_is_reported(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    guest.enabled = False
    assert "allow guest-exec" in failure(talk, guest)
    assert guest.started == []
    assert talk.due == guest.now + BACKOFF_S[-1]


def test_an_agent_too_old_to_tell_its_system_is_on_linux(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    def send(text: str) -> str:
        if "osinfo" in text:
            raise AgentError("no such command", refused=True)
        return guest.send(text)

    talk.ask(Agent(send))
    assert guest.started[0][0] == "nvidia-smi"


def test_an_older_nvidia_smi_is_asked_for_less_from_then_on(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    from tui.host.agent.nvidia_smi import FIELDS

    fields = tuple(field for field in FIELDS if field != "utilization.encoder")
    values = output().strip().split(", ")
    shorter = ", ".join(v for f, v in zip(FIELDS, values, strict=True) if f in fields)
    guest.says = [(2, unknown("utilization.encoder")), (0, shorter)]
    _, (card,) = talk.ask(Agent(guest.send))
    assert card.metrics.enc_pct is None
    assert card.metrics.util_pct == 97
    talk.ask(Agent(guest.send))
    assert len(guest.started) == 3


# --- remarks ------------------------------------------------------------------

INFOROM = "WARNING: infoROM is corrupted at gpu 0000:01:00.0\n"


@pytest.mark.parametrize("status", [0, 14])
@pytest.mark.parametrize("where", ["before", "after", "stderr"])
def test_a_corrupted_inforom_is_reported_and_the_rows_count(
    talk: GuestProbe, guest: FakeGuest, status: int, where: str
) -> None:
    said = {"before": INFOROM + output(), "after": output() + INFOROM, "stderr": output()}
    guest.says = [(status, said[where])]
    guest.errors = INFOROM if where == "stderr" else ""
    version, (card,) = talk.ask(Agent(guest.send))
    assert (version, card.metrics.util_pct) == ("572.83", 97)
    (remark,) = talk.remarks
    assert remark.startswith("WARNING: infoROM is corrupted at gpu 0000:01:00.0 (")
    assert talk.due == pytest.approx(guest.now - guest.ends_after + EVERY, abs=0.2)


@pytest.mark.parametrize(
    ("status", "words"),
    [(14, "infoROM is corrupted"), (15, "fallen off the bus"), (8, "power cables"),
     (255, "failed with exit status 255")],
)  # fmt: skip
def test_a_status_after_complete_rows_is_a_remark(
    talk: GuestProbe, guest: FakeGuest, status: int, words: str
) -> None:
    guest.says = [(status, output())]
    _, (card,) = talk.ask(Agent(guest.send))
    assert card.metrics.util_pct == 97
    (remark,) = talk.remarks
    assert words in remark


def test_what_a_card_says_itself_is_not_said_again(talk: GuestProbe, guest: FakeGuest) -> None:
    guest.says = [(15, output(temperature_gpu="[GPU is lost]"))]
    _, (card,) = talk.ask(Agent(guest.send))
    assert "fallen off the bus" in card.remarks[0]
    assert talk.remarks == ()


def test_a_card_that_does_not_answer_is_not_one_that_is_not_there(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    said = "Unable to determine the device handle for GPU0000:01:00.0: Unknown Error\n"
    guest.says = [(6, f"{said}No devices were found\n")]
    with pytest.raises(AgentError, match="cannot reach the card"):
        talk.ask(Agent(guest.send))


def test_a_remark_is_gone_with_its_subject(talk: GuestProbe, guest: FakeGuest) -> None:
    guest.says = [(14, output() + INFOROM), (0, output())]
    talk.ask(Agent(guest.send))
    assert talk.remarks
    talk.ask(Agent(guest.send))
    assert talk.remarks == ()


def test_rows_of_a_program_that_was_killed_do_not_count(talk: GuestProbe, guest: FakeGuest) -> None:
    data = base64.b64encode(output().encode()).decode()
    guest.replies["guest-exec-status"] = json.dumps(
        {"return": {"exited": True, "signal": 9, "out-data": data}}
    )
    assert "was killed" in failure(talk, guest)


# --- how often ----------------------------------------------------------------


def test_a_quick_guest_is_asked_at_the_interval(talk: GuestProbe, guest: FakeGuest) -> None:
    asked_at = guest.now
    talk.ask(Agent(guest.send))
    assert talk.due == pytest.approx(asked_at + EVERY)


def test_a_slow_one_is_asked_so_seldom_that_the_game_does_not_feel_it(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    guest.ends_after = 0.55
    asked_at = guest.now
    talk.ask(Agent(guest.send))
    assert 25 <= talk.due - asked_at <= 35
    guest.ends_after = 4.0
    talk.ask(Agent(guest.send))
    assert talk.due <= guest.now + MAX_INTERVAL_S


def test_the_end_is_looked_for_when_it_should_have_come(talk: GuestProbe, guest: FakeGuest) -> None:
    guest.ends_after = 1.0
    talk.ask(Agent(guest.send))
    guest.commands.clear()
    talk.ask(Agent(guest.send))
    assert guest.commands == ["guest-exec", "guest-exec-status"]


def test_failures_in_a_row_are_tried_less_and_less(talk: GuestProbe, guest: FakeGuest) -> None:
    guest.says = [(9, "")]
    pauses = []
    for _ in range(6):
        assert "cannot reach the NVIDIA driver" in failure(talk, guest)
        pauses.append(talk.due - guest.now)
    assert pauses == pytest.approx([*BACKOFF_S, BACKOFF_S[-1], BACKOFF_S[-1]])


def test_one_that_was_not_asked_for_a_while_is_tried_again(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    guest.enabled = False
    failure(talk, guest)
    guest.now += 20
    talk.reset_backoff()
    assert talk.due == guest.now


# --- who hangs and who lies -----------------------------------------------------


def test_one_that_does_not_end_is_waited_for_before_another_is_started(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    guest.ends_after = 60.0
    began = guest.now
    assert "does not exit within 5 s" in failure(talk, guest)
    assert guest.now - began < TIMEOUT_S + 1
    assert "does not exit" in failure(talk, guest)
    assert len(guest.started) == 1
    guest.now += 100
    guest.ends_after = 0.1
    talk.ask(Agent(guest.send))
    assert len(guest.started) == 2


def test_an_agent_that_forgot_the_program_is_asked_again(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    guest.ends_after = 60.0
    failure(talk, guest)

    def send(text: str) -> str:
        if "guest-exec-status" in text and '"pid": 1}' in text:
            raise AgentError("no such PID", refused=True)
        return guest.send(text)

    guest.ends_after = 0.1
    talk.ask(Agent(send))
    assert len(guest.started) == 2


def test_programs_do_not_pile_up_where_the_agent_falls_silent(
    talk: GuestProbe, guest: FakeGuest
) -> None:
    guest.ends_after = 1000.0

    def send(text: str) -> str:
        if "guest-exec-status" in text:
            raise AgentError("the guest's agent does not answer")
        return guest.send(text)

    for _ in range(5):
        with pytest.raises(AgentError):
            talk.ask(Agent(send))
    assert len(guest.started) == 1


def test_an_exit_status_that_is_none_is_not_believed(talk: GuestProbe, guest: FakeGuest) -> None:
    guest.replies["guest-exec-status"] = (
        '{"return": {"exited": true, "exitcode": ' + "9" * 400 + "}}"
    )
    assert failure(talk, guest) == "nvidia-smi in the guest was killed"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("guest-info", "nonsense"), ("guest-info", "[]"), ("guest-info", '{"return": 3}'),
        ("guest-info", '{"return": {"supported_commands": 7}}'),
        ("guest-info", '{"return": {"supported_commands": [{"name": ["x"], "enabled": true}]}}'),
        ("guest-info", "[" * 100_000), ("guest-info", '{"return": {}}' + " " * REPLY_LIMIT),
        ("guest-exec", '{"return": {"pid": "7"}}'), ("guest-exec", '{"return": {"pid": -1}}'),
        ("guest-exec", '{"return": {"pid": true}}'),
        ("guest-exec", '{"return": {"pid": 9223372036854775808}}'),
        ("guest-exec-status", '{"return": {}}'),
        ("guest-exec-status", '{"return": {"exited": "yes"}}'),
        ("guest-exec-status", '{"return": {"exited": true, "exitcode": 0, "out-data": 7}}'),
        ("guest-exec-status", '{"return": {"exited": true, "exitcode": 0, "out-data": "!"}}'),
        ("guest-exec-status", '{"return": {"exited": true, "exitcode": 0}}'),
        ("guest-exec-status", '{"return": {"exited": true, "exitcode": NaN, "out-data": ""}}'),
    ],
)  # fmt: skip
def test_an_agent_that_lies_costs_a_sentence(
    talk: GuestProbe, guest: FakeGuest, command: str, reply: str
) -> None:
    guest.replies[command] = reply
    assert len(failure(talk, guest)) < 200
    assert talk.due > guest.now


def test_an_answer_that_is_far_too_long(talk: GuestProbe, guest: FakeGuest) -> None:
    guest.says = [(0, output() * 150)]
    assert "far more than was requested" in failure(talk, guest)


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        (6, "No devices were found", "finds no card in the guest"),
        (0, "No devices were found", "finds no card in the guest"),
        (14, INFOROM, "infoROM is corrupted"),
        (12, "", "NVML library is missing in the guest"),
        (1, "\x1b[31mboom", "failed with exit status 1: [31mboom"),
        (0, "nan", "malformed"),
    ],
)
def test_why_there_is_no_reading(
    talk: GuestProbe, guest: FakeGuest, status: int, said: str, words: str
) -> None:
    guest.says = [(status, said)]
    assert words in failure(talk, guest)
