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
    """uvicorn's protocol, which reads heads of any size and waits for them for ever."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head = 0
        self._in_head = True
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head."""
        super().connection_made(transport)
        self._due = self.loop.call_later(HEAD_WITHIN, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless the head is too large."""
        if self._in_head:
            self._head += len(data)
            if self._head > HEAD_LIMIT and b"\r\n\r\n" not in data[:HEAD_LIMIT]:
                self.transport.write(TOO_LARGE)
                self.transport.close()
                return
            if self._due is None:
                self._due = self.loop.call_later(HEAD_WITHIN, self.transport.close)
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The head is there, and what follows is a body, or the next one."""
        self._came()
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Another head may follow."""
        self._head, self._in_head = 0, True
        super().on_message_complete()

    def _came(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
