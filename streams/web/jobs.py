"""What does the bank do that takes a while? Jobs: each begun by a person, in a process of its own.

A job is a file, which says how far it is and what came of it. So its page may be closed and opened
again, and is there when the process that began it is not.
"""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import structlog

from domain.event import Role
from streams.queries.health import JOBS, JOBS_ENDED

log = structlog.get_logger()
State = Literal["running", "done", "unseen", "refused", "failed", "cancelled", "died"]
WRONG: tuple[State, ...] = ("failed", "died")
"""What comes of a job by no fault of whoever asked for it."""
ORDERS = ("restrict", "lift", "forget")
"""Jobs that nobody ends: half of one is neither done nor undone."""
AT_ONCE = 3
"""Jobs that one process of the lookups lets run beside each other."""
HEARD_EVERY, SILENT = 3.0, timedelta(seconds=20)
"""How often a job says something, in seconds, and without a word of how long it counts as died."""
LONGEST = timedelta(hours=12)
"""After which a job is ended that waits for something that does not come."""
SHOWN_EVERY = 0.3
"""Seconds between two words on how far it is."""
KEPT = timedelta(days=7)
TIDIED_EVERY = 3_600.0
"""Seconds."""
GIVEN = ".given"
"""How the name of a file ends that was made for somebody to take away."""
ENDING = 5.0
"""Seconds in which a process ends that is told to."""


class Busy(Exception):
    """As many jobs run as may."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asked for, how far it is (`done` of `of` of what it is `doing`), and the result
    or the reason why there is none.

    `roles` may see it. `unseen`: it was done, and what follows from it is not to be seen yet.
    `file` is what its file is called, where it has one to be taken away. The file, or the result of
    one that finds somebody, is `about` these.
    """

    job: str
    kind: str
    asked: dict[str, Any]
    by: str
    roles: tuple[Role, ...]
    at: datetime
    heard: datetime
    state: State = "running"
    doing: str | None = None
    done: int = 0
    of: int | None = None
    result: Any = None
    error: str | None = None
    ended_by: str | None = None
    file: str | None = None
    about: tuple[str, ...] = ()


class Removed(NamedTuple):
    """How many jobs were removed, and how many run and stay."""

    jobs: int
    running: int


class Jobs:
    """The jobs of a folder; `command` is a program that does the job of a file."""

    def __init__(self, folder: Path, command: Sequence[str]) -> None:
        self._folder = folder
        self._command = command
        self._lock = threading.Lock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        threading.Thread(target=self._tidy, daemon=True).start()

    def begin(
        self, name: str, kind: str, asked: dict[str, Any], by: str, roles: tuple[Role, ...]
    ) -> Job:
        """Begin a job under a name that its asker drew; the one of that name where it began before.

        Raises `Busy` while too many run.
        """
        with self._lock:
            if known := self.find(name):
                return known
            if sum(map(self._goes_on, self._processes)) >= AT_ONCE:
                raise Busy
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_old()
            now = datetime.now(UTC)
            job = Job(job=name, kind=kind, asked=asked, by=by, roles=roles, at=now, heard=now)
            try:
                _create(self._file(name), job)
            except FileExistsError:  # another process of the lookups was asked too
                return self.find(name) or job
            JOBS.labels(kind).inc()
            log.info("job_begun", job=name, kind=kind, by=by)
            process = subprocess.Popen([*self._command, str(self._file(name))])
            self._processes[name] = process
            threading.Thread(target=self._count_end, args=(job, process), daemon=True).start()
            return job

    def _goes_on(self, name: str) -> bool:
        """Whether a job of this process is not over: one that is may take a while to leave."""
        job = _read(self._file(name)) if self._processes[name].poll() is None else None
        return job is not None and job.state == "running"

    def _count_end(self, job: Job, process: "subprocess.Popen[bytes]") -> None:
        """Wait until a job is over, and count what came of it.

        Trap: Prometheus sees no increase of a counter that begins at one.
        """
        for state in WRONG:
            JOBS_ENDED.labels(job.kind, state)
        process.wait()
        if (ended := self.find(job.job)) is not None:
            JOBS_ENDED.labels(job.kind, ended.state).inc()

    def find(self, name: str) -> Job | None:
        """A job as it stands; None where there is none of that name that can be read."""
        process = self._processes.get(name)
        gone = process is not None and process.poll() is not None
        job = _read(self._file(name))
        if job is None or job.state != "running":
            return job
        silent = process is None and datetime.now(UTC) - job.heard > SILENT
        return msgspec.structs.replace(job, state="died") if gone or silent else job

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        found = filter(None, (self.find(file.stem) for file in self._folder.glob("*.json")))
        return sorted(found, key=lambda job: job.at, reverse=True)

    def cancel(self, name: str, by: str) -> Job | None:
        """End a job that runs; what it has done by then stays done.

        Whichever process began it: a mark beside its file tells it to end.
        """
        if (job := self.find(name)) is None or job.state not in ("running", "died"):
            return job
        _mark(self._file(name)).write_text(by, encoding="utf-8")
        if process := self._processes.get(name):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING)
            process.kill()
            process.wait()
        deadline = time.monotonic() + ENDING + HEARD_EVERY
        while (job := self.find(name)) and job.state == "running" and time.monotonic() < deadline:
            time.sleep(SHOWN_EVERY)
        if job is not None and job.state == "died":
            job = msgspec.structs.replace(job, state="cancelled", ended_by=by)
            _write(self._file(name), job)
        return job

    def taken_away(self, job: Job) -> Path:
        """Where the file of a job is that has one."""
        return taken_away(self._file(job.job))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"

    def _tidy(self) -> None:
        """Remove what is old, although nobody asks for anything."""
        while True:
            with suppress(OSError):  # of what is gone meanwhile, or never was
                self._remove_old()
            time.sleep(TIDIED_EVERY)

    def _remove_old(self) -> None:
        """Remove jobs that are over for long, with what stands beside them."""
        oldest = time.time() - KEPT.total_seconds()
        for file in self._folder.iterdir():
            beside = self._file(file.name.partition(".")[0])
            with suppress(FileNotFoundError):
                if max(each.stat().st_mtime for each in (file, beside) if each.exists()) < oldest:
                    file.unlink()


class Telling:
    """How the process of a job tells how far it is; it does so also while nothing goes on.

    It ends the process where somebody has cancelled the job, or where it takes too long.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._ended = threading.Event()
        found = _read(file)
        if found is None:
            raise ValueError(f"{file} is no job")
        self.job = found
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

    def give(self, name: str, content: bytes, about: Sequence[str]) -> None:
        """Leave a file to be taken away, under a name, by whoever may ask for such a job; raises
        `OSError`, and then leaves none.
        """
        file = taken_away(self._file)
        try:
            file.write_bytes(content)
        except OSError:
            file.unlink(missing_ok=True)
            raise
        self._tell(file=name, about=tuple(about))

    def is_about(self, streams: Sequence[str]) -> None:
        """Note whom the result tells of: whoever reads it looks at them."""
        self._tell(about=tuple(streams))

    def end(self, state: State, result: Any = None, error: str | None = None) -> None:
        """Say what came of it."""
        self._ended.set()
        self._tell(state=state, result=result, error=error)

    def _tell(self, **said: Any) -> None:
        with self._lock:
            self.job = msgspec.structs.replace(self.job, heard=datetime.now(UTC), **said)
            if self._file.exists():  # what was removed is not made anew
                _write(self._file, self.job)
            self._due = time.monotonic() + SHOWN_EVERY

    def _beat(self) -> None:
        while not self._ended.wait(HEARD_EVERY):
            with suppress(OSError):  # a full disk; the next word may fit
                self._tell()
            mark = _mark(self._file)
            if mark.exists():
                self._stop("cancelled", ended_by=mark.read_text(encoding="utf-8"))
            if datetime.now(UTC) - self.job.at > LONGEST:
                self._stop("failed", error=f"it took longer than {LONGEST}")

    def _stop(self, state: State, **said: Any) -> None:
        self._tell(state=state, **said)
        os._exit(1)


def remove_ended(folder: Path, but: str | None = None) -> Removed:
    """Remove what came of jobs, and what cannot be read; those that run stay, and the one that
    asks.
    """
    removed = running = 0
    for file in [*folder.glob("*.json"), *folder.glob("*.new"), *folder.glob(f"*{GIVEN}")]:
        if file.stem == but:
            continue
        job = _read(file.with_suffix(".json") if file.suffix == GIVEN else file)
        if job and job.state == "running" and datetime.now(UTC) - job.heard <= SILENT:
            running += file.suffix == ".json"
        else:
            removed += file.suffix == ".json"
            file.unlink(missing_ok=True)
    return Removed(removed, running)


def _read(file: Path) -> Job | None:
    """A job; None where there is none, or another release has written what this one cannot read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Job)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def taken_away(file: Path) -> Path:
    """What stands beside the file of a job, to be taken away."""
    return file.with_suffix(GIVEN)


def _mark(file: Path) -> Path:
    return file.with_suffix(".cancel")


def _create(file: Path, job: Job) -> None:
    """The file of a job that has none; raises `FileExistsError`."""
    new = _new(file, job)
    try:
        os.link(new, file)
    finally:
        new.unlink()


def _write(file: Path, job: Job) -> None:
    """All of it or nothing: readers never see half a job."""
    _new(file, job).replace(file)


def _new(file: Path, job: Job) -> Path:
    new = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
    new.write_bytes(msgspec.json.encode(job))
    return new
