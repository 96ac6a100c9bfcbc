"""The metrics of the watch: what is served, to whom, and whether anybody asks: cards are read only
while somebody does."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace
from prometheus_client.metrics_core import Metric

from tui.model import Gpu, HostView, SourceName, card_read_at
from tui.report.metric_families import CONTENT_TYPES, Format, as_text
from tui.report.metrics import families
from tui.session import Session
from tui.watch.http import Request, Response

ATTENDED_S = 130.0
"""Seconds after a request in which cards are read: two scrapes a minute apart, and some more."""

FRESH_S = 60.0
"""Seconds after which a card's values are left out: it is not read any more."""

CACHE_S = 1.0
"""Seconds for which a text is served again, so that thousands of requests cost little."""

_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.I)
_OPENMETRICS = "application/openmetrics-text"


class _Published(NamedTuple):
    """What was read last: see ``tui.report.metrics.families``."""

    view: HostView
    read_at: Mapping[SourceName, datetime]
    readings: Mapping[SourceName, int]


class Exporter:
    """Answers requests for ``/metrics`` with what was published last.

    ``publish`` belongs to the watch's thread, ``respond`` to the server's. ``token`` is what a
    client must present, ``None`` if nothing. ``local``: clients connect to a loopback port, which a
    browser may be tricked into asking for under another host's name (DNS rebinding).
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        token: str | None = None,
        *,
        local: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._token = token
        self._local = local
        self._clock = clock
        self._published = _Published(HostView(), {}, {})
        self._texts: dict[Format, tuple[float, bytes]] = {}
        self._asked_s: float | None = None

    @property
    def attended(self) -> bool:
        """Whether somebody has asked recently."""
        asked_s = self._asked_s
        return asked_s is not None and self._clock() - asked_s < ATTENDED_S

    def publish(self, view: HostView, session: Session) -> None:
        """Serve this view, which the session has read, from now on."""
        read_at = session.live.snapshot.read_at
        readings = dict(session.finished)
        readings.pop("watch", None)  # that source has nothing to read here
        self._published = _Published(view, read_at, readings)

    def respond(self, request: Request) -> Response:
        """The response to a request."""
        host = request.headers.get("host")
        if self._local and host is not None and not _LOOPBACK.fullmatch(host):
            return Response(421)
        if not self._may(request.headers.get("authorization", "")):
            return Response(401, headers={"WWW-Authenticate": "Bearer"})
        if request.target.partition("?")[0] != "/metrics":
            return Response(404)
        if request.method != "GET":
            return Response(405, headers={"Allow": "GET"})
        form = accepted(request.headers.get("accept", ""))
        self._asked_s = self._clock()
        return Response(200, self._text(form), CONTENT_TYPES[form])

    def _may(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode(), self._token.encode()
        )

    def _text(self, form: Format) -> bytes:
        made_s, text = self._texts.get(form, (None, b""))
        if made_s is None or self._clock() - made_s >= CACHE_S:
            text = as_text(self._families(), form)
            self._texts[form] = (self._clock(), text)
        return text

    def _families(self) -> Sequence[Metric]:
        at, published = self._now(), self._published
        gpus = (without_old(gpu, published.read_at, at) for gpu in published.view.gpus)
        view = replace(published.view, gpus=tuple(gpus))
        return families(view, at, read_at=published.read_at, readings=published.readings)


def without_old(gpu: Gpu, read_at: Mapping[SourceName, datetime], at: datetime) -> Gpu:
    """The card without values that were read too long ago."""
    taken = card_read_at(gpu.reading, read_at) if gpu.reading is not None else None
    old = taken is None or (at - taken).total_seconds() > FRESH_S
    return replace(gpu, reading=None) if old else gpu


def accepted(accept: str) -> Format:
    """The format to answer with (RFC 9110, 12.5.1): OpenMetrics if the client names it, as
    Prometheus does, else the older one that everything reads."""
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        if name == _OPENMETRICS and "version=1.0.0" in parameters and "q=0" not in parameters:
            return "openmetrics"
    return "prometheus"
