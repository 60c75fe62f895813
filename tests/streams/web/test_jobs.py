"""Jobs: begun once, told while they run, ended one way or another."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from domain.event import Role
from streams.queries.health import JOBS_ENDED
from streams.web.jobs import AT_ONCE, KEPT, Busy, Job, Jobs, remove_ended
from tests.conftest import wait_until

OWNER: tuple[Role, ...] = ("tier-owner",)
NAMES = [f"{number:032x}" for number in range(9)]


COUNTING = """
telling = Telling(file)
with telling.progress("counted", 3) as advance:
    for _ in range(3):
        advance(1)
telling.end("done", {"counted": telling.job.done})
"""
ENDLESS = """
import time
with Telling(file).progress("waited", None):
    time.sleep(600)
"""
DYING = ""
"""Ends without a word."""


def program(text: str) -> list[str]:
    """A program that does a job in this way."""
    head = "import sys\nfrom pathlib import Path\nfrom streams.web.jobs import Telling\n"
    return [sys.executable, "-c", f"{head}file = Path(sys.argv[1])\n{text}"]


def begun(folder: Path, text: str, name: str = NAMES[0]) -> Jobs:
    """The jobs of a folder, of which one has begun."""
    jobs = Jobs(folder, program(text))
    jobs.begin(name, "compare", {"version": "a"}, "li", OWNER)
    return jobs


def aged(folder: Path, name: str, ago: timedelta) -> None:
    """Let a job have been silent for so long."""
    file = folder / f"{name}.json"
    job = msgspec.json.decode(file.read_bytes(), type=Job)
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(job, heard=job.heard - ago)))


def test_a_job_says_how_far_it_is_and_what_came_of_it(tmp_path: Path) -> None:
    """Also to whoever did not begin it."""
    begun(tmp_path, COUNTING)
    others = Jobs(tmp_path, program(COUNTING))
    wait_until(lambda: (job := others.find(NAMES[0])) is not None and job.state == "done")
    job = others.find(NAMES[0])

    assert job is not None
    assert (job.by, job.doing, job.done, job.of) == ("li", "counted", 3, 3)
    assert job.result == {"counted": 3}
    assert others.all() == [job]


@pytest.mark.parametrize(("program", "state"), [(COUNTING, "done"), (DYING, "died")])
def test_what_came_of_a_job_is_counted(tmp_path: Path, program: str, state: str) -> None:
    """Once it is over; what went wrong stands at zero before, so that its increase is seen."""
    counted = JOBS_ENDED.labels("compare", state)
    before = counted._value.get()
    begun(tmp_path, program)
    wait_until(lambda: counted._value.get() > before)

    assert counted._value.get() == before + 1
    assert {
        sample.labels["state"] for family in JOBS_ENDED.collect() for sample in family.samples
    } >= {"failed", "died"}


def test_a_job_that_is_begun_twice_is_one(tmp_path: Path) -> None:
    """Under its name; what it was asked for stays."""
    jobs = begun(tmp_path, ENDLESS)
    again = jobs.begin(NAMES[0], "promote", {}, "wang", OWNER)

    assert (again.kind, again.by) == ("compare", "li")
    assert len(jobs.all()) == 1
    jobs.cancel(NAMES[0], "zhang")


def test_only_so_many_jobs_run_beside_each_other(tmp_path: Path) -> None:
    """The next is refused until one has ended."""
    jobs = Jobs(tmp_path, program(ENDLESS))
    for name in NAMES[:AT_ONCE]:
        jobs.begin(name, "compare", {}, "li", OWNER)
    with pytest.raises(Busy):
        jobs.begin(NAMES[AT_ONCE], "compare", {}, "li", OWNER)
    jobs.cancel(NAMES[0], "zhang")
    jobs.begin(NAMES[AT_ONCE], "compare", {}, "li", OWNER)

    for name in NAMES[1 : AT_ONCE + 1]:
        jobs.cancel(name, "zhang")
    assert {job.state for job in jobs.all()} == {"cancelled"}


def test_a_job_whose_process_is_gone_is_said_to_have_died(tmp_path: Path) -> None:
    """At once by who began it; by others once nothing was heard of it; a result stays."""
    jobs = begun(tmp_path, DYING)
    begun(tmp_path, COUNTING, NAMES[1])
    others = Jobs(tmp_path, program(DYING))
    wait_until(lambda: (job := others.find(NAMES[1])) is not None and job.state == "done")
    wait_until(lambda: (job := jobs.find(NAMES[0])) is not None and job.state == "died")
    states = []
    for ago in (timedelta(), timedelta(minutes=1)):
        for name in NAMES[:2]:
            aged(tmp_path, name, ago)
        states.append([job.state for name in NAMES[:2] if (job := others.find(name))])

    assert states == [["running", "done"], ["died", "done"]]


def test_a_job_is_ended_by_whoever_did_not_begin_it(tmp_path: Path) -> None:
    """Another process of the lookups has no child to end: the job ends itself, and says by whom."""
    jobs, others = begun(tmp_path, ENDLESS), Jobs(tmp_path, program(ENDLESS))
    wait_until(lambda: (job := jobs.find(NAMES[0])) is not None and job.doing == "waited")
    ended = others.cancel(NAMES[0], "zhang")

    assert ended is not None
    assert (ended.state, ended.ended_by) == ("cancelled", "zhang")
    assert jobs.find(NAMES[0]) == ended


def test_two_who_ask_at_once_begin_one_job(tmp_path: Path) -> None:
    """Within one process of the lookups, and between two that share a folder."""
    both = [Jobs(tmp_path, program(ENDLESS)) for _ in range(2)]

    def ask(number: int) -> datetime:
        return both[number % 2].begin(NAMES[0], "compare", {}, "li", OWNER).at

    with ThreadPoolExecutor(16) as pool:
        begun_at = {*pool.map(ask, range(64))}

    assert len(begun_at) == 1
    assert sum(len(jobs._processes) for jobs in both) == 1
    for jobs in both:
        jobs.cancel(NAMES[0], "zhang")


def test_what_another_release_wrote_hides_no_other_job_and_is_removed(tmp_path: Path) -> None:
    """Neither the list nor an erasure stumbles over it."""
    jobs = begun(tmp_path, COUNTING)
    wait_until(lambda: (job := jobs.find(NAMES[0])) is not None and job.state == "done")
    for name, said in ((NAMES[1], b""), (NAMES[2], b'{"job": "x", "state": "unheard-of"}')):
        (tmp_path / f"{name}.json").write_bytes(said)

    assert [job.job for job in jobs.all()] == [NAMES[0]]
    assert remove_ended(tmp_path) == (3, 0)
    assert [*tmp_path.iterdir()] == []


def test_what_came_of_jobs_is_removed_and_what_runs_stays(tmp_path: Path) -> None:
    """By whoever erases, and a week later by itself."""
    jobs = begun(tmp_path, ENDLESS)
    begun(tmp_path, COUNTING, NAMES[1])
    wait_until(lambda: (job := jobs.find(NAMES[1])) is not None and job.state == "done")

    assert remove_ended(tmp_path) == (1, 1)
    assert [job.job for job in jobs.all()] == [NAMES[0]]

    jobs.cancel(NAMES[0], "zhang")
    old = (datetime.now(UTC) - KEPT - timedelta(hours=1)).timestamp()
    os.utime(tmp_path / f"{NAMES[0]}.json", (old, old))
    jobs.begin(NAMES[2], "compare", {}, "li", OWNER)
    assert [job.job for job in jobs.all()] == [NAMES[2]]
    jobs.cancel(NAMES[2], "zhang")
