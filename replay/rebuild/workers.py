"""Which processes fold beside this one?

As many as there are cores; they end when this one does, however it ends. A bank that goes on beside
them goes first.
"""

import ctypes
import gc
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.context import SpawnContext
from typing import Any

NICE = 10


def pool(
    tasks: int,
    context: SpawnContext | None = None,
    begin: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> ProcessPoolExecutor:
    """Processes for so many tasks.

    `begin` is the first that each of them calls, with what is `given`.
    """
    count = max(1, min(os.cpu_count() or 1, tasks))
    return ProcessPoolExecutor(
        count,
        mp_context=context or multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(os.getpid(), begin, given),
    )


def die_with_parent() -> None:
    """Linux: PR_SET_PDEATHSIG. Elsewhere a child outlives a killed parent."""
    if hasattr(ctypes, "CDLL") and os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _begin(parent: int, begin: Callable[..., None] | None, given: tuple[Any, ...]) -> None:
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)  # it was killed before this process could ask to follow it
    os.nice(NICE)
    gc.disable()  # events and states are many and free of cycles, and the process ends with its work  # noqa: E501
    if begin is not None:
        begin(*given)
