"""Every change of tier is told once, on the whole path, whoever is killed meanwhile."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from deploy.wiring import journal_of
from domain.tiering.events import TierChanged, TierOverridden
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
BANK = sized(Bank(customers=150, months=6, seed=11), Bank(customers=2_000, months=24, seed=11))


def rule_in(folder: Path) -> Path:
    """The shipped rule, that counts households."""
    path = folder / "rule.yaml"
    text = RULE.read_text(encoding="utf-8")
    path.write_text(f"{text}scope: {{of: household, take: sum}}\n", encoding="utf-8")
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
    by_hand = [
        proposed(
            TierOverridden(tier="gold", approver="li", reason="a test", until=until),
            f"by-hand-{number}",
            people[number],
            events[len(events) // 3].business_date,
        )
        for number, until in enumerate([date(2026, 3, 5), date(2099, 1, 1)])
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
