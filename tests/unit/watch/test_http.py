"""The server of the metrics, against clients that are slow, wrong or many."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.watch.http import (
    CONNECTION_LIMIT,
    DRAIN_LIMIT,
    REQUEST_LIMIT,
    BadRequest,
    Request,
    Response,
    Server,
    encoded,
    parsed,
)

PATIENCE = 60.0
GET = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
BODY = b"x 1\n" * 250_000
"""More than a socket takes at once."""


class Served:
    """A server on a unix socket. A request for /broken fails in it."""

    def __init__(self, folder: Path, limit_s: float) -> None:
        self.path = str(folder / "socket")
        self.requests: list[Request] = []
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path)
        self.server = Server(listener, self.respond, limit_s)
        self.server.start()

    def respond(self, request: Request) -> Response:
        self.requests.append(request)
        if request.target == "/broken":
            raise RuntimeError("a defect")
        return Response(200, BODY)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.connect(self.path)  # waits for room, which it would not with a time limit
        client.settimeout(PATIENCE)
        return client

    def ask(self, data: bytes) -> bytes:
        """Send all of it, then read the response to its end."""
        with self.connect() as client:
            client.sendall(data)
            return answer(client)


def answer(client: socket.socket) -> bytes:
    """What comes until the connection ends, or is reset."""
    found = bytearray()
    with suppress(ConnectionResetError):
        while data := client.recv(65536):
            found += data
    return bytes(found)


def status(response: bytes) -> bytes:
    return response.split(b" ")[1]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, PATIENCE)
    yield made
    made.server.close()


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Served]:
    """A server with hardly any patience."""
    made = Served(tmp_path, 0.05)
    yield made
    made.server.close()


def test_a_request_is_answered_whole(served: Served) -> None:
    response = served.ask(GET)
    head, _, body = response.partition(b"\r\n\r\n")
    assert status(head) == b"200"
    assert f"Content-Length: {len(BODY)}".encode() in head and b"Connection: close" in head
    assert body == BODY


def test_a_request_in_single_bytes_is_answered(served: Served) -> None:
    with served.connect() as client:
        for n in range(len(GET)):
            client.sendall(GET[n : n + 1])
        assert status(answer(client)) == b"200"


def test_a_header_may_come_twice() -> None:
    request = parsed(b"GET / HTTP/1.1\r\nAccept: a\r\nVia: x\r\nVIA: y\r\naccept: b\r\n\r\n")
    assert request is not None
    assert request.headers == {"accept": "a,b", "via": "x,y"}


def test_what_follows_the_request_does_not_take_the_response_away(served: Served) -> None:
    assert served.ask(GET + bytes(DRAIN_LIMIT // 2)).endswith(BODY)
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"400"),
        (b"hello\n", b"400"),
        (b"GET /metrics\r\n\r\n", b"400"),
        (b"GET  /metrics HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/2.0\r\n\r\n", b"505"),
        (b"GET /metrics SPDY/1\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\n folded: x\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost : x\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nX: a\x00b\r\n\r\n", b"400"),
        (b"GET /" + b"x" * REQUEST_LIMIT + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * REQUEST_LIMIT, b"431"),
        (b"GET /broken HTTP/1.1\r\n\r\n", b"500"),
    ],
)
def test_garbage_is_answered_and_the_next_client_too(
    served: Served, data: bytes, code: bytes
) -> None:
    with served.connect() as client:
        try:
            client.sendall(data)
        except BrokenPipeError:  # it has heard enough
            assert code == b"431"
        assert status(answer(client)) == code
    assert status(served.ask(GET)) == b"200"


@pytest.mark.parametrize("sent", [b"", b"GET /metr", GET[:-2]])
def test_a_client_that_does_not_go_on_is_dropped(hasty: Served, sent: bytes) -> None:
    with hasty.connect() as client:
        client.sendall(sent)
        assert answer(client) == b""


def test_a_client_that_does_not_read_is_dropped(hasty: Served) -> None:
    with hasty.connect() as client:
        client.sendall(GET)
        while hasty.server._connections or not hasty.requests:
            hasty.server._thread.join(0.01)
        assert len(answer(client)) < len(BODY)
    assert hasty.server._thread.is_alive()


def test_many_clients_that_only_connect_leave_room_for_one_that_asks(served: Served) -> None:
    with ExitStack() as held:
        silent = [held.enter_context(served.connect()) for _ in range(5 * CONNECTION_LIMIT)]
        assert status(served.ask(GET)) == b"200"
        assert len(served.server._connections) <= CONNECTION_LIMIT
        assert answer(silent[0]) == b""


def test_many_at_once_are_answered(served: Served) -> None:
    found: list[bytes] = []
    asking = [
        threading.Thread(target=lambda: found.append(served.ask(GET)))
        for _ in range(CONNECTION_LIMIT)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(PATIENCE)
    assert [status(response) for response in found] == [b"200"] * CONNECTION_LIMIT


def test_its_end_ends_every_connection(served: Served) -> None:
    with served.connect() as client:
        client.sendall(b"GET")
        served.server.close()
        assert answer(client) == b""
        assert not served.server._thread.is_alive()


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_request_or_are_refused(data: bytes, valid_start: bool) -> None:
    start = b"GET / HTTP/1.1\r\n" if valid_start else b""
    try:
        request = parsed(start + data + b"\r\n\r\n")
    except BadRequest as error:
        response = encoded(Response(error.status))
        assert response.count(b"\r\n\r\n") == 1
    else:
        assert request is not None
        assert all("\n" not in each for pair in request.headers.items() for each in pair)
