"""The two jobs of the privileged half, once it has shed what it was started with."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress

from tui import config
from tui.host import Host, HostError
from tui.host.journal.entry import Entry
from tui.model.errors import Refused
from tui.model.requests import SwapRequest
from tui.process import output
from tui.swap import command, launch
from tui.swap.request import parse

DONE, FAILED = 0, 1


def launch_main(words: Sequence[str]) -> int:
    """Start a runner for an ordinary user; tell in JSON what it says."""
    try:
        request = _request(words)
        told = launch.RunnerReply(id=launch.launch(request))
    except (Refused, HostError) as error:
        told = launch.refusal_reply(error)
    except KeyboardInterrupt:
        return FAILED  # a runner that has not begun hears of it, too
    output.say_json(told, indent=None)  # if nobody hears it, the journal tells the rest
    return FAILED if "error" in told else DONE


def run_main(words: Sequence[str]) -> int:
    """Be the runner, which no key on a terminal reaches, however it was started."""
    with suppress(PermissionError):  # it leads a session already
        os.setsid()

    def carry_out(begun: Callable[[Entry], None]) -> Entry:
        request = _request(words)
        return command.run(_host(), request, begun)

    return command.serve(carry_out)


def _request(words: Sequence[str]) -> SwapRequest:
    if os.geteuid() != 0:
        raise Refused("only root may move a card")
    return parse(words)


def _host() -> Host:
    """This machine, with the libvirt that root has configured or the local default."""
    from tui.host.real import real_host  # noqa: PLC0415 - it takes long, and a refusal does not

    try:
        return real_host(config.load().connect)
    except config.ConfigError as error:
        raise Refused(str(error)) from error
