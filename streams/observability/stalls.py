"""What keeps an event loop from going on?

A thread that knocks at the loop, and looks where it is while it does not open.
"""

import asyncio
import gc
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from prometheus_client import Counter

KNOCK_EVERY = 0.005
LONG = 0.002
"""Seconds without an answer from which on a loop is stalled."""
COLLECTING = "garbage collection"
WAITING = "nothing: it waits for a core"
STALLS = Counter(
    "tierfold_lookup_stalled_seconds",
    "Time in which lookups' event loop did not get on for 2 ms or more, by what it was at",
    ["place"],
    registry=None,
)
_LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("platlib"))


@contextmanager
def stalls_told(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Count in `STALLS` what keeps the loop of this thread, until the end of the block."""
    watcher = _Watcher(loop, threading.get_ident())
    gc.callbacks.append(watcher.collecting)
    watcher.start()
    try:
        yield
    finally:
        watcher.ended.set()
        gc.callbacks.remove(watcher.collecting)


class _Watcher(threading.Thread):
    def __init__(self, loop: asyncio.AbstractEventLoop, watched: int) -> None:
        super().__init__(name="stalls", daemon=True)
        self.ended = threading.Event()
        self._loop = loop
        self._watched = watched
        self._since = self._begun = 0.0

    def collecting(self, phase: str, _info: Mapping[str, int]) -> None:
        """Hear from Python that a collection begins or ends; this thread cannot look meanwhile."""
        if phase == "start":
            self._begun = time.perf_counter()
        elif (now := time.perf_counter()) - self._begun >= LONG:
            STALLS.labels(COLLECTING).inc(now - self._begun)
            self._since = now

    def run(self) -> None:
        while not self.ended.wait(KNOCK_EVERY) and not self._loop.is_closed():
            self._knock()

    def _knock(self) -> None:
        opened, self._since = threading.Event(), time.perf_counter()
        self._loop.call_soon_threadsafe(opened.set)
        while not opened.wait(LONG) and not self.ended.is_set():
            before, self._since = self._since, time.perf_counter()
            STALLS.labels(self._place()).inc(self._since - before)

    def _place(self) -> str:
        """The function that the loop is in: the innermost that is no library's, if there is one."""
        innermost = sys._current_frames().get(self._watched)  # noqa: SLF001 - documented
        if innermost is None or innermost.f_code.co_name == "select":
            return WAITING
        frame: FrameType | None = innermost
        while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
            frame = frame.f_back
        return _name(frame or innermost)


def _name(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"
