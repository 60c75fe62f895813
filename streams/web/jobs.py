"""What does the bank do that takes a while? Jobs: each begun by a person, in a process of its own.

A job is a file, which says how far it is and what came of it. So its page may be closed and opened
again, and is there when the process that began it is not.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import msgspec

from streams.queries.health import JOBS

State = Literal["running", "done", "refused", "failed", "cancelled", "died"]
AT_ONCE = 3
"""Jobs that run beside each other."""
HEARD_EVERY, SILENT = 3.0, timedelta(seconds=20)
"""How often a job says something, in seconds, and without a word of how long it counts as died."""
SHOWN_EVERY = 0.3
"""Seconds between two words on how far it is."""
KEPT = timedelta(days=7)
ENDING = 5.0
"""Seconds in which a process ends that is told to."""


class Busy(Exception):
    """As many jobs run as may."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for, how far it is (`done` of `of` of what it is `doing`), and the result
    or the reason why there is none.
    """

    job: str
    kind: str
    asked: dict[str, Any]
    by: str
    at: datetime
    heard: datetime
    state: State = "running"
    doing: str | None = None
    done: int = 0
    of: int | None = None
    result: Any = None
    error: str | None = None


class Jobs:
    """The jobs of a folder; `command` is a program that does the job of a file."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self._folder = folder
        self._command = command
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def begin(self, name: str, kind: str, asked: dict[str, Any], by: str) -> Job:
        """Begin a job under a name that its asker drew; the one of that name where it began before.

        Raises `Busy` while too many run.
        """
        if known := self.find(name):
            return known
        if sum(each.poll() is None for each in self._processes.values()) >= AT_ONCE:
            raise Busy
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remove_old()
        now = datetime.now(UTC)
        job = Job(job=name, kind=kind, asked=asked, by=by, at=now, heard=now)
        _write(self._file(name), job)
        JOBS.labels(kind).inc()
        self._processes[name] = subprocess.Popen([*self._command, str(self._file(name))])
        return job

    def find(self, name: str) -> Job | None:
        """A job as it stands; None where there is none of that name."""
        with suppress(FileNotFoundError):
            return _as_it_stands(_read(self._file(name)))
        return None

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        found = filter(None, (self.find(file.stem) for file in self._folder.glob("*.json")))
        return sorted(found, key=lambda job: job.at, reverse=True)

    def cancel(self, name: str) -> Job | None:
        """End a job that runs; what it has done by then stays done."""
        if process := self._processes.pop(name, None):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING)
        if (job := self.find(name)) and job.state in ("running", "died"):
            job = msgspec.structs.replace(job, state="cancelled")
            _write(self._file(name), job)
        return job

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _remove_old(self) -> None:
        oldest = time.time() - KEPT.total_seconds()
        for file in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()


class Telling:
    """How the process of a job tells how far it is; it does so also while nothing goes on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.job = _read(file)
        self._due = 0.0
        threading.Thread(target=self._beat, daemon=True).start()

    @contextmanager
    def progress(self, word: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Begin with something; gives the function that is told of more."""
        self._tell(doing=word, done=0, of=total)

        def advance(count: int) -> None:
            with self._lock:
                self.job = msgspec.structs.replace(self.job, done=self.job.done + count)
            if time.monotonic() >= self._due:
                self._tell()

        yield advance

    def end(self, state: State, result: Any = None, error: str | None = None) -> None:
        """Say what came of it."""
        self._ended.set()
        self._tell(state=state, result=result, error=error)

    def _tell(self, **said: Any) -> None:
        with self._lock:
            self.job = msgspec.structs.replace(self.job, heard=datetime.now(UTC), **said)
            _write(self._file, self.job)
            self._due = time.monotonic() + SHOWN_EVERY

    def _beat(self) -> None:
        while not self._ended.wait(HEARD_EVERY):
            self._tell()


def remove_ended(folder: Path) -> int:
    """Remove what came of jobs; gives how many there were. Those that run stay."""
    found = {file: _as_it_stands(_read(file)) for file in folder.glob("*.json")}
    ended = [file for file, job in found.items() if job.state != "running"]
    for file in ended:
        file.unlink()
    return len(ended)


def _as_it_stands(job: Job) -> Job:
    if job.state == "running" and datetime.now(UTC) - job.heard > SILENT:
        return msgspec.structs.replace(job, state="died")
    return job


def _read(file: Path) -> Job:
    return msgspec.json.decode(file.read_bytes(), type=Job)


def _write(file: Path, job: Job) -> None:
    """All of it or nothing: readers never see half a job."""
    new = file.with_suffix(f".{threading.get_ident()}.new")
    new.write_bytes(msgspec.json.encode(job))
    new.replace(file)
