"""The two jobs of the privileged half, after it has reset its environment."""

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
from tui.swap.request import BadRequest, parse

DONE, FAILED = 0, 1


def launch_main(words: Sequence[str]) -> int:
    """Start a runner for an ordinary user, and pass its reply on as JSON."""
    try:
        request = _request(words)
        if request.by != "user":  # root's watch starts its runners itself
            raise BadRequest("only the watch may make requests in its own name")
        reply = launch.RunnerReply(id=launch.launch(request))
    except (Refused, HostError) as error:
        reply = launch.refusal_reply(error)
    except KeyboardInterrupt:
        return FAILED  # its pipe closes: a runner that has not on_begin will not begin
    output.say_json(reply, indent=None)  # if nobody reads it, the journal has the rest
    return FAILED if "error" in reply else DONE


def run_main(words: Sequence[str]) -> int:
    """Run the runner, in its own session so that no key on a terminal reaches it."""
    with suppress(PermissionError):  # already a session leader
        os.setsid()

    def execute(on_begin: Callable[[Entry], None]) -> Entry:
        request = _request(words)
        return command.run(_host(), request, on_begin)

    return command.serve(execute)


def _request(words: Sequence[str]) -> SwapRequest:
    if os.geteuid() != 0:
        raise Refused("only root may move a card")
    return parse(words)


def _host() -> Host:
    """Open this machine, with the libvirt URI from root's configuration or the local default."""
    from tui.host.real import real_host  # noqa: PLC0415 - slow, and a refusal does not need it

    try:
        return real_host(config.load().connect)
    except config.ConfigError as error:
        raise Refused(str(error)) from error
