"""A small HTTP/1.1 server (RFC 9112) that no client can hold up.

One thread serves a few connections, each with a request of limited size and a time limit for
everything. Each is closed after one request. Above the limit of connections, the one that has
waited longest for its request makes room.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec import Struct

CONNECTION_LIMIT = 8
REQUEST_LIMIT = 8192
"""Bytes of a request line and its headers."""

DRAIN_LIMIT = 65536
"""Bytes that are read and dropped after the response. Closing a socket with unread bytes may cost
the client the response (RFC 9112, 9.6)."""

TIME_S = 5.0
"""Seconds for a whole connection."""

RETRY_S = 0.2
"""Seconds to the next try after a connection could not be accepted."""

ONCE = ("host", "authorization")
"""The headers that decide who may have what: two of them are a mistake, or an attack."""

CHUNK = 4096
BACKLOG = 16

REASONS: Mapping[int, str] = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
    405: "Method Not Allowed", 421: "Misdirected Request", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 505: "HTTP Version Not Supported",
}  # fmt: skip


class Request(Struct, frozen=True):
    """A request without its content. The names of ``headers`` are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


class Response(Struct, frozen=True):
    """A response. Without a ``body``, the body is the reason phrase of its status."""

    status: int
    body: bytes | None = None
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = {}


class BadRequest(Exception):
    """A request that is malformed or too long; ``status`` is the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(REASONS[status])
        self.status = status


def parsed(data: bytes) -> Request | None:
    """The request at the beginning of ``data``; ``None`` if it is not complete. Raises
    ``BadRequest``."""
    head, end, _ = data.partition(b"\r\n\r\n")
    if len(head) > REQUEST_LIMIT:
        raise BadRequest(431)
    if not end:
        first, line_end, _ = data.partition(b"\n")
        if line_end and not first.endswith(b"\r"):
            raise BadRequest(400)
        return None
    line, *fields = head.decode("latin-1").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not all(word.isprintable() and word for word in words):
        raise BadRequest(400)
    method, target, version = words
    if not version.startswith("HTTP/1."):
        raise BadRequest(505 if version.startswith("HTTP/") else 400)
    return Request(method, target, _headers(fields))


def _headers(fields: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for field in fields:
        name, colon, value = field.partition(":")
        name, value = name.lower(), value.strip(" \t")
        if not colon or not name.replace("-", "").replace("_", "").isalnum():
            raise BadRequest(400)
        if any(c != "\t" and not c.isprintable() for c in value):
            raise BadRequest(400)
        if name in found and name in ONCE:
            raise BadRequest(400)
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def encoded(response: Response) -> bytes:
    """A response as bytes, after which the connection closes."""
    reason = REASONS[response.status]
    body = f"{reason}\n".encode() if response.body is None else response.body
    headers = {
        "Content-Type": response.content_type, "Content-Length": str(len(body)),
        "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Connection": "close",
        **response.headers,
    }  # fmt: skip
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Connection:
    """A connection: its request comes in, its response goes out, then what follows is dropped."""

    def __init__(self, client: socket.socket, ends_s: float) -> None:
        self.client = client
        self.ends_s = ends_s
        self.request = bytearray()
        self.response: memoryview | None = None
        self.dropped = 0

    @property
    def answering(self) -> bool:
        return self.response is not None and len(self.response) > 0


class Server:
    """Serves ``listener`` until ``close``. ``respond`` is called on the server's thread; if it
    fails, that is the client's 500."""

    def __init__(
        self,
        listener: socket.socket,
        respond: Callable[[Request], Response],
        limit_s: float = TIME_S,
    ) -> None:
        self._listener = listener
        self._respond = respond
        self._limit_s = limit_s
        self._connections: list[_Connection] = []
        self._selector = selectors.DefaultSelector()
        self._wake, self._closing = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to serve. Raises ``RuntimeError`` if no thread can start."""
        self._listener.setblocking(False)
        self._listener.listen(BACKLOG)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread.start()

    def close(self, timeout_s: float = TIME_S) -> None:
        """End all connections, and wait for the thread."""
        self._closing.close()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._listener.close()

    def _run(self) -> None:
        while True:
            now = time.monotonic()
            for connection in [c for c in self._connections if c.ends_s <= now]:
                self._end(connection)
            wait = min((c.ends_s - now for c in self._connections), default=None)
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._wake:
                    self._end_all()
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif key.data in self._connections:  # one that made room is gone
                    self._serve(key.data)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor is free, or the client has left
            time.sleep(RETRY_S)
            return
        if len(self._connections) >= CONNECTION_LIMIT:
            idle = [c for c in self._connections if not c.answering]
            self._end((idle or self._connections)[0])
        client.setblocking(False)
        connection = _Connection(client, time.monotonic() + self._limit_s)
        self._connections.append(connection)
        self._selector.register(client, selectors.EVENT_READ, connection)

    def _serve(self, connection: _Connection) -> None:
        try:
            if connection.answering:
                self._write(connection)
            else:
                self._read(connection)
        except BlockingIOError:
            return
        except OSError:
            self._end(connection)

    def _read(self, connection: _Connection) -> None:
        data = connection.client.recv(CHUNK)
        if connection.response is not None:
            connection.dropped += len(data)
        if not data or connection.dropped > DRAIN_LIMIT:
            self._end(connection)
        elif connection.response is None:
            connection.request += data
            response = self._answer(bytes(connection.request))
            if response is not None:
                connection.request.clear()
                connection.response = memoryview(encoded(response))
                self._selector.modify(connection.client, selectors.EVENT_WRITE, connection)

    def _answer(self, data: bytes) -> Response | None:
        try:
            request = parsed(data)
            return None if request is None else self._respond(request)
        except BadRequest as error:
            return Response(error.status)
        except Exception:  # a bug of ours must not end the thread
            return Response(500)

    def _write(self, connection: _Connection) -> None:
        assert connection.response is not None
        sent = connection.client.send(connection.response)
        connection.response = connection.response[sent:]
        if not connection.answering:
            connection.client.shutdown(socket.SHUT_WR)
            self._selector.modify(connection.client, selectors.EVENT_READ, connection)

    def _end(self, connection: _Connection) -> None:
        self._connections.remove(connection)
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection.client)
        connection.client.close()

    def _end_all(self) -> None:
        for connection in tuple(self._connections):
            self._end(connection)
        self._selector.close()
        self._wake.close()
