"""How much of a request is read before anybody is let in?

A head of so many bytes within so many seconds. Whoever sends more, or nothing, is cut off, and
keeps nobody waiting.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT = 32 * 1024
"""Bytes of a request line and headers."""
HEAD_WITHIN = 10.0
"""Seconds in which a head comes whole; between two requests uvicorn has a time of its own."""
TOO_LARGE = b"\r\n".join(
    (
        b"HTTP/1.1 431 Request Header Fields Too Large",
        b"content-length: 0",
        b"connection: close",
        b"\r\n",
    )
)


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which reads heads and trailers of any size, and waits for ever."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head = 0
        self._unread = 0
        self._in_head = True
        self._refused = False
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless nothing could be made of too much."""
        if self._refused:
            return
        if self._in_head and self._due is None:
            self._wait()
        self._unread += len(data)
        super().data_received(data)
        if self._unread > HEAD_LIMIT:
            self._refuse()

    def on_url(self, url: bytes) -> None:
        """A part of the request line."""
        if self._has_room(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer behind a body in chunks."""
        if self._has_room(len(name) + len(value)):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._wait_no_more()
        self._in_head, self._unread = False, 0
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body, whose size others bound."""
        self._unread = 0
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Another head may follow."""
        self._head, self._unread, self._in_head = 0, 0, True
        if not self._refused:
            super().on_message_complete()

    def _has_room(self, size: int) -> bool:
        self._unread = 0
        self._head += size
        if self._head > HEAD_LIMIT:
            self._refuse()
        return not self._refused

    def _refuse(self) -> None:
        if not self._refused:
            self._refused = True
            self.transport.write(TOO_LARGE)
            self.transport.close()

    def _wait(self) -> None:
        self._due = self.loop.call_later(HEAD_WITHIN, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
