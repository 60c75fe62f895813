"""Closed months count anew, on the whole path: from a batch that came late to what readers see."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from deploy.wiring import journal_of
from domain.accounts.events import TransactionPosted, TransactionReversed
from domain.bank.events import DayClosed
from domain.calendar import last_day
from domain.customers.events import CustomerOnboarded
from domain.envelope import Proposed
from domain.restatements.events import MonthsRestated
from domain.tiering.events import TierChanged
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from tests.conftest import TIERFOLD, Running, environment_of, proposed, settings_in
from tests.path.test_rollout import feed
from tests.sizes import sized

MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04", "2026-05")
MUCH = 60_000_000
"""600,000.00 CNY: platinum, where it is held for a month."""
PEOPLE = sized(60, 2_000)
BATCH = "2026-04-05/"
WRONG, RIGHT = "customer:wrong", "customer:right"


def posted(name: str, stream: str, amount: int, day: date, source: str = "core") -> Proposed:
    """Money that came to a customer."""
    data = TransactionPosted(
        transaction=name, account=f"{stream}-1", amount=amount, currency="CNY", kind="in"
    )
    return proposed(data, name, stream, day, source)


def closed(month: str) -> Proposed:
    """The bank ends a month."""
    end = last_day(month)
    return proposed(DayClosed(date=end), f"day-{end}", "bank", end)


def misbooked() -> list[Proposed]:
    """Money that is booked to the wrong customer in February, and put right in April."""
    who = [WRONG, RIGHT, *(f"customer:{number}" for number in range(PEOPLE))]
    first = date(2026, 1, 1)
    events = [
        proposed(CustomerOnboarded(source="branch"), f"on-{each}", each, first) for each in who
    ]
    events += [posted(f"small-{each}", each, 100, first) for each in who]
    events += [closed("2026-01"), posted("mistake", WRONG, MUCH, date(2026, 2, 1))]
    events += [closed("2026-02"), closed("2026-03")]
    undone = TransactionReversed(
        event="mistake",
        account=f"{WRONG}-1",
        amount=MUCH,
        currency="CNY",
        posted=date(2026, 2, 1),
    )
    events.append(proposed(undone, f"{BATCH}1", WRONG, date(2026, 4, 5), "core"))
    events.append(posted(f"{BATCH}2", RIGHT, MUCH, date(2026, 2, 1)))
    events += [
        posted(f"{BATCH}late-{each}", each, MUCH, date(2026, 2, 1), "partner") for each in who[2:]
    ]
    return events


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack in which this happened."""
    with Running(settings_in(tmp_path_factory.mktemp("restated"))) as made:
        feed(made, list(map(write, misbooked())))
        made.settle()
        yield made


def tier(running: Running, stream: str, day: str) -> str:
    """In which tier a customer stood on a day, by what is known now."""
    who = stream.partition(":")[2]
    found: str = running.client.get(f"/v1/customers/{who}/explain?on={day}").json()["tier"]
    return found


def told(running: Running, stream: str) -> list[TierChanged]:
    """The changes of tier that a customer was told of."""
    journal = journal_of(running.settings)
    events = journal[shard_of(stream, len(journal))].history(stream)
    return [event.data for event in events if isinstance(event.data, TierChanged)]


def restated(running: Running, name: str) -> int:
    """How many words of a restatement are recorded."""
    events = (
        event
        for shard in journal_of(running.settings)
        for event in shard.events(["months-restated.v1"])
    )
    return sum(
        isinstance(event.data, MonthsRestated) and event.data.restatement == name
        for event in events
    )


def propose(running: Running, name: str, *words: str, code: int = 0) -> Any:
    """Propose a restatement of February; the report, or what was said against it."""
    command = ("restate", "propose", name, "--by", "li.wei", "--reason", "misbooked", *words)
    if code == 0:
        return running.report(*command, "--month", "2026-02")
    done = running.run(*command)
    assert done.returncode == code
    return done.stderr.decode()


def agreed(running: Running, name: str) -> dict[str, Any]:
    """Compare and approve; gives the comparison."""
    found = running.report("restate", "compare", name)
    running.report("restate", "approve", name, "--by", "zhang.min", "--report", found["digest"])
    return found


def test_money_that_was_booked_to_the_wrong_customer_moves_both(running: Running) -> None:
    """Each stands as if it had been right at once; what was told wrongly is named; and back."""
    before = running.must_agree()
    assert [tier(running, each, "2026-03-15") for each in (WRONG, RIGHT)] == ["platinum", "mass"]
    wrongly = [each.after for each in told(running, WRONG)]

    propose(running, "april-batch", "--source", "core", "--ids", BATCH, "--reversals")
    found = agreed(running, "april-batch")
    done = running.report("restate", "promote", "april-batch", "--by", "zhang.min")
    running.settle()

    assert (found["customers"], found["events"], done["customers"]) == (2, 2, 2)
    assert {(each["customer"], each["before"], each["after"]) for each in found["movers"]} == {
        (WRONG, "platinum", "mass"),
        (RIGHT, "mass", "platinum"),
    }
    assert [tier(running, each, "2026-03-15") for each in (WRONG, RIGHT)] == ["mass", "platinum"]
    then = f"/v1/customers/wrong/as-of?occurred=2026-03-15&recorded={_before(running)}"
    assert running.client.get(then.replace("+", "%2B")).json()["tier"]["tier"] == "platinum"
    assert [(each.before, each.after, each.ground) for each in told(running, RIGHT)] == [
        ("mass", "platinum", "restatement")
    ]
    last = told(running, WRONG)[-1]
    assert (last.before, last.after, last.ground) == ("platinum", "mass", "restatement")
    assert wrongly == ["platinum"]
    assert len(last.corrects) == 1
    assert running.report("restate", "verify", "april-batch")["computed"] == 2
    running.must_agree()
    listed = running.client.get("/v1/restatements").json()["april-batch"]
    assert (listed["state"], listed["applied"]) == ("promoted", 2)

    back = ("restate", "roll-back", "april-batch", "--by", "zhang.min", "--reason", "a mistake")
    assert running.report(*back)["customers"] == 2
    running.settle()
    assert [tier(running, each, "2026-03-15") for each in (WRONG, RIGHT)] == ["platinum", "mass"]
    after = running.must_agree()
    assert {name: each for name, each in after.items() if "standings" in name} == {
        name: each for name, each in before.items() if "standings" in name
    }


def _before(running: Running) -> str:
    """The moment at which the month's last event before any restatement was recorded."""
    journal = journal_of(running.settings)
    events = journal[shard_of(WRONG, len(journal))].history(WRONG)
    first = next(event for event in events if isinstance(event.data, MonthsRestated))
    earlier = [event for event in events if event.position < first.position]
    return earlier[-1].recorded_at.isoformat()


def test_a_promotion_that_is_cut_off_goes_on_and_tells_nobody_twice(running: Running) -> None:
    """Killed when the first is recorded; readers are right all the time; then the rest follows."""
    propose(running, "partner", "--source", "partner")
    found = agreed(running, "partner")
    assert found["customers"] == PEOPLE
    command = ["restate", "promote", "partner", "--by", "zhang.min", "--json"]
    with subprocess.Popen(
        [*TIERFOLD, *command], env=environment_of(running.settings), stdout=subprocess.DEVNULL
    ) as promoting:
        while not restated(running, "partner") and promoting.poll() is None:
            time.sleep(0.005)
        os.kill(promoting.pid, signal.SIGKILL)
    running.settle()
    known = running.report("restate", "list")["restatements"]["partner"]
    other = running.run(
        "restate", "roll-back", "april-batch", "--by", "zhang.min", "--reason", "in the middle"
    )

    assert (known["state"], known["applied"]) == ("promoted", None)
    assert "is rolled-back" in other.stderr.decode()
    assert running.report(*command[:-1])["customers"] == PEOPLE
    running.settle()
    assert restated(running, "partner") == PEOPLE
    for number in range(PEOPLE):
        changes = [(each.after, each.ground) for each in told(running, f"customer:{number}")]
        assert changes == [("platinum", "restatement")], number
    running.must_agree()


def test_who_may_not_is_told_why(running: Running) -> None:
    """An open month, one before the journal, a stranger, an overlap, four eyes, a digest."""
    june = propose(running, "r1", "--month", "2026-06", code=2)
    early = propose(running, "r1", "--month", "2020-01", code=2)
    nobody = propose(running, "r1", "--month", "2026-02", "--customer", "nobody", code=2)
    propose(running, "first", "--customer", "right")
    same = propose(running, "second", "--month", "2026-02", code=2)
    report = running.report("restate", "compare", "first")["digest"]
    alone = running.run("restate", "approve", "first", "--by", "Li-Wei", "--report", report)
    other = running.run("restate", "approve", "first", "--by", "zhang", "--report", "ab" * 32)
    unapproved = running.run("restate", "promote", "first", "--by", "zhang")
    running.report("restate", "withdraw", "first", "--by", "li.wei", "--reason", "a test")
    again = running.run("restate", "promote", "first", "--by", "zhang")

    assert "2026-06 has not ended" in june
    assert "2020-01 is before the journal begins: its first month is 2026-01" in early
    assert "nothing was ever recorded of customer:nobody" in nobody
    assert "overlaps with first" in same
    assert "somebody else has to approve it" in alone.stderr.decode()
    assert "not the digest" in other.stderr.decode()
    assert report not in other.stderr.decode()
    assert "has no approval" in unapproved.stderr.decode()
    assert "first is withdrawn" in again.stderr.decode()


def test_what_comes_after_the_approval_is_not_put_in_its_place(running: Running) -> None:
    """Only what was compared; a month's end meanwhile asks for another approval."""
    propose(running, "third", "--customer", "right")
    agreed(running, "third")
    feed(running, [write(posted("after", RIGHT, -MUCH, date(2026, 2, 1)))])
    running.settle()
    found = running.report("restate", "promote", "third", "--by", "zhang.min")
    running.settle()

    assert found["customers"] == 1
    assert tier(running, RIGHT, "2026-03-15") == "platinum"
    running.must_agree()


def test_whoever_cannot_be_read_is_left_out_and_counted(running: Running) -> None:
    """By name it is refused; among all, who was forgotten or is restricted meanwhile is counted."""
    late = [posted("again", f"customer:{each}", MUCH, date(2026, 2, 2)) for each in (0, 1, 2)]
    feed(running, list(map(write, late)))
    running.settle()
    propose(running, "fourth", "--ids", "again")
    agreed(running, "fourth")
    assert running.report("restate", "promote", "fourth", "--by", "zhang.min")["left_out"] == 0
    running.report("privacy", "forget", "0", "--by", "officer", "--reason", "asked", "--early")
    running.report("privacy", "restrict", "1", "--by", "officer", "--reason", "kept by law")
    assert running.report("restate", "verify", "fourth")["computed"] == 1
    refused = propose(running, "gone", "--month", "2026-02", "--customer", "0", code=2)
    back = ("restate", "roll-back", "fourth", "--by", "zhang.min", "--reason", "a test")

    assert "was forgotten, or is restricted" in refused
    assert running.report(*back) == {"restatement": "fourth", "customers": 1, "left_out": 2}
