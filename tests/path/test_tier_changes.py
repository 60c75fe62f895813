"""Every change of tier is told once, on the whole path, whoever is killed meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from deploy.wiring import journal_of
from domain.event import Interaction
from domain.tiering.events import (
    TierChanged,
    TierOverridden,
    TierOverrideProposed,
    TierOverrideWithdrawn,
)
from projections.redis import RedisStore
from projections.rollout.versions import name_of
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, proposed, settings_in
from tests.path.test_rollout import agree, feed, meanwhile
from tests.sizes import sized
from tests.streams.folds.test_tier_changes import expected

RULE = POLICIES / "tiers" / "bohai-retail.yaml"
BANK = sized(Bank(customers=70, months=6, seed=11), Bank(2_000, 24, 11, "2024-01"))


def rule_in(folder: Path) -> Path:
    """The shipped rule, that counts households, and lets nobody set the highest tiers alone."""
    path = folder / "rule.yaml"
    text = RULE.read_text(encoding="utf-8")
    path.write_text(
        f"{text}scope: {{of: household, take: sum}}\nby_hand: {{alone: gold, longest_days: 400}}\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A stack whose rule counts households."""
    with Running(settings_in(tmp_path, policy=rule_in(tmp_path))) as made:
        yield made


def changes(running: Running, stream: str) -> list[TierChanged]:
    """What was told of a customer's tier, in order."""
    journal = journal_of(running.settings)
    events = journal[shard_of(stream, len(journal))].history(
        stream, event_types=["tier-changed.v1"]
    )
    return [event.data for event in events if isinstance(event.data, TierChanged)]


def test_what_was_told_is_what_somebody_notes_who_looks_after_every_event(
    running: Running, tmp_path: Path
) -> None:
    """Assessments, households, tiers by hand and a switch, with kills of agents and intake."""
    events = list(synth(BANK))
    people = sorted({each.stream for each in events if each.stream.startswith("customer:")})
    begins = events[len(events) // 3].business_date
    by_hand = [
        proposed(
            TierOverridden(tier="diamond", approver="li", reason="a test", until=until),
            f"by-hand-{number}",
            people[number + 3],
            begins,
        )
        for number, until in enumerate([begins + timedelta(days=10), date(2099, 1, 1)])
    ]
    easier = tmp_path / "easier.yaml"
    text = rule_in(tmp_path).read_text(encoding="utf-8").replace("version: 1", "version: 2")
    easier.write_text(text.replace("at_least: 5000000}", "at_least: 500000}"), encoding="utf-8")
    lines = list(map(write, events))
    third = len(lines) // 3
    feed(running, [*lines[:third], *map(write, by_hand)])
    running.settle()
    with meanwhile(running, lines[third : 2 * third]):
        running.kill("agents")
        rule = ("--policy", str(easier), "--by", "li")
        version = running.report("replay", "rebuild", "tier", *rule)["version"]
        running.kill("intake")
    agree(running, version)
    running.report("replay", "promote", version, "--by", "zhang", "--no-wait")
    running.kill("agents")
    with meanwhile(running, lines[2 * third :]):
        running.kill("agents")
    running.report("replay", "announce", "--by", "zhang")
    running.settle()

    first, second = read_policy(rule_in(tmp_path)), read_policy(easier)
    policies, journal = {name_of(first): first, version: second}, journal_of(running.settings)
    told = {who: changes(running, who) for who in people}
    wrong = [
        (who, pairs, wanted)
        for who in people
        for pairs in ([(each.before, each.after) for each in told[who]],)
        if pairs != (wanted := expected(policies, journal, who))
    ]
    assert wrong == []
    grounds = Counter(each.ground for some in told.values() for each in some)
    assert {*grounds} >= {"assessment", "household", "by-hand", "by-hand-ended", "switch"}
    running.must_agree()


def test_a_bank_that_loses_its_read_models_tells_nothing_again(running: Running) -> None:
    """They are folded anew from the journal."""
    lines = list(map(write, synth(BANK)))
    feed(running, lines[: len(lines) // 2])
    running.settle()
    before = running.counts().recorded
    assert any(changes(running, each.stream) for each in synth(BANK) if ":" in each.stream)

    asyncio.run(RedisStore(running.settings.redis_url).clear())
    running.settle()
    running.must_agree()

    assert running.counts().recorded == before


def say(running: Running, who: str, name: str, data: Interaction) -> httpx.Response:
    """Hand in what a supervisor says of a customer."""
    with running.calls("supervisor", who=who, sources=("test",)) as client:
        return client.post(
            "/v1/interactions",
            content=write(proposed(data, name, "customer:1")),
            headers={"content-type": "application/cloudevents+json"},
        )


def test_the_highest_tiers_are_set_by_two_and_taken_back_by_one(running: Running) -> None:
    """Each refusal says what to send; what two agreed to is told, and so is its end."""
    until = datetime.now(UTC).date() + timedelta(days=300)
    first = TierOverrideProposed(tier="diamond", proposer="li", reason="known", until=until)
    second = TierOverridden(
        tier="diamond", approver="zhang", reason="known", until=until, proposal="p1"
    )
    alone = say(running, "zhang", "1", second.model_copy(update={"proposal": None}))
    unknown = say(running, "zhang", "2", second)
    assert say(running, "li", "p1", first).status_code == 201
    same = say(running, "li", "3", second.model_copy(update={"approver": "li"}))
    later = until + timedelta(days=365)
    long = say(running, "li", "4", first.model_copy(update={"until": later}))
    agreed = say(running, "zhang", "5", second)
    running.settle()
    in_force = running.client.get("/v1/customers/1/tier").json()["tier"]
    taken = say(running, "li", "6", TierOverrideWithdrawn(approver="li", reason="a mistake"))
    running.settle()

    refused = [
        (answer.status_code, answer.json()["errors"][0]["field"])
        for answer in (alone, unknown, same, long)
    ]
    fields = ("data.proposal", "data.proposal", "data.approver", "data.until")
    assert refused == [(422, field) for field in fields]
    assert "send tier-override-proposed" in alone.json()["errors"][0]["detail"]
    assert (agreed.status_code, taken.status_code, in_force) == (201, 201, "diamond")
    assert [(each.ground, each.before, each.after) for each in changes(running, "customer:1")] == [
        ("by-hand", "mass", "diamond"),
        ("by-hand-withdrawn", "diamond", "mass"),
    ]
    assert running.client.get("/v1/customers/1/tier").json()["tier"] == "mass"
