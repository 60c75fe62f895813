"""Which policies hold: what the bank begins with, then what was decided."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from deploy.policy_files import read_arrivals, read_catalogue, read_privacy
from deploy.settings import POLICIES
from domain.access.privacy_policy import Classed
from domain.envelope import Proposed
from domain.event import Interaction
from domain.offers.catalogue import Catalogue
from domain.offers.events import CATALOGUES, DECISIONS, CatalogueAdopted
from domain.rollout.events import (
    CATALOGUE,
    PRIVACY,
    SOURCE,
    STREAM,
    VersionAdopted,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
)
from domain.rollout.lifecycle import Versions, evolve
from projections.rollout.versions import name_of
from streams.ingest.cloudevents import EVENT_LIMIT, read_event
from streams.journal import Arrival, Journal, LogOffset, Rejected
from streams.policies.in_force import Begun, Followed, InForce, Unreadable
from streams.publish.adoption import TooLarge, adopt
from tests.conftest import NOON

BEGUN = Begun(
    read_catalogue(POLICIES / "offers.yaml"),
    read_privacy(POLICIES / "privacy.yaml"),
    read_arrivals(POLICIES / "arrivals.yaml"),
)
FEWER = BEGUN.catalogue.model_copy(update={"version": 4, "offers": BEGUN.catalogue.offers[6:]})
DAY = date(2026, 3, 2)
REPORT = "ab" * 32


def live(policy: Catalogue) -> list[Interaction]:
    """What makes a catalogue live after the first was adopted."""
    name = name_of(policy)
    return [
        VersionAdopted(
            group=CATALOGUE, version=name_of(BEGUN.catalogue), policy=BEGUN.catalogue.said
        ),
        VersionProposed(group=CATALOGUE, version=name, policy=policy.said, by="li"),
        VersionApproved(group=CATALOGUE, version=name, report=REPORT, by="zhang"),
        VersionPromoted(group=CATALOGUE, version=name, by="zhang"),
    ]


def after(steps: list[Interaction]) -> Versions:
    """The versions after some steps."""
    versions = Versions()
    for step in steps:
        versions = evolve(versions, step, DAY, NOON)
    return versions


class Sent:
    """A front door that keeps what is sent."""

    def __init__(self) -> None:
        self.events: list[Proposed] = []

    def submit(self, _shard: int, raw: bytes) -> None:
        """Take an event."""
        event = read_event(raw)
        assert not isinstance(event, Rejected)
        self.events.append(event)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of one shard."""
    made = Journal(f"sqlite://{tmp_path}/journal", 1)
    made[0].claim()
    yield made
    made.close()


def record(journal: Journal, steps: list[Interaction], offset: int) -> None:
    """Put steps into a journal."""
    events = [
        Proposed(SOURCE, f"{offset}/{item}", STREAM, NOON, DAY, step)
        for item, step in enumerate(steps)
    ]
    arrivals = [Arrival(offset, item, b"", event) for item, event in enumerate(events)]
    journal[0].record(arrivals, LogOffset("log", offset), NOON)


def test_the_files_hold_until_something_was_adopted_and_then_have_no_effect() -> None:
    """And each file that says something else is told of."""
    nothing, decided = InForce(BEGUN, Versions), InForce(BEGUN, lambda: after(live(FEWER)))

    assert nothing.catalogue == BEGUN.catalogue
    assert nothing.idle_files() == []
    assert decided.catalogue == FEWER
    assert decided.privacy == BEGUN.privacy
    assert decided.idle_files() == [CATALOGUE]


def test_steps_are_followed_in_the_journal(journal: Journal) -> None:
    """By those who have no read models: what comes is seen at the next look."""
    followed = Followed(journal)
    steps = live(FEWER)
    record(journal, steps[:2], 0)
    early = followed().lineup(CATALOGUE).live
    record(journal, steps[2:], 1)
    followed._looked -= 60

    assert early == name_of(BEGUN.catalogue)
    assert followed() == after(steps)


def test_what_was_said_of_nothing_is_adopted_and_nothing_else(journal: Journal) -> None:
    """The three at the first start, none at the next, whatever the files say by then."""
    first, second = Sent(), Sent()
    zone = ZoneInfo("Asia/Shanghai")
    adopt(BEGUN, Versions(), journal, first, zone)  # type: ignore[arg-type] - a door that keeps
    known = after([event.data for event in first.events])
    adopt(BEGUN._replace(catalogue=FEWER), known, journal, second, zone)  # type: ignore[arg-type] - a door that keeps

    assert [event.stream for event in first.events] == [STREAM] * 3
    assert {group: lineup.live for group, lineup in known.groups.items()} == {
        group: name_of(policy) for group, policy in BEGUN.by_group().items()
    }
    assert second.events == []


def test_a_catalogue_that_is_larger_than_an_event_is_refused(journal: Journal) -> None:
    """At the first start, with its size."""
    offer = BEGUN.catalogue.offers[0]
    many = tuple(
        offer.model_copy(update={"offer": f"offer-{number}", "name": {"en": "x" * 200}})
        for number in range(EVENT_LIMIT // 200)
    )
    large = BEGUN._replace(catalogue=BEGUN.catalogue.model_copy(update={"offers": many}))

    with pytest.raises(TooLarge, match=r"takes \d{3},\d{3} bytes, and 262,144 is the limit"):
        adopt(large, Versions(), journal, Sent(), ZoneInfo("UTC"))  # type: ignore[arg-type] - a door that keeps


def test_a_policy_that_this_release_cannot_read_is_kept_and_not_gone_by() -> None:
    """The fold takes it as it stands; who goes by it keeps the one before, or does not start."""
    newer = {**FEWER.said, "invented": 1}
    steps = live(FEWER)
    told = [
        step.model_copy(update={"policy": newer}) if n == 1 else step
        for n, step in enumerate(steps)
    ]
    decided = [after(steps[:1])]
    running = InForce(BEGUN, lambda: decided[0])
    before = running.catalogue
    decided[0] = after(told)

    assert decided[0].lineup(CATALOGUE).live == name_of(FEWER)
    assert running.catalogue is before
    with pytest.raises(Unreadable, match="cannot read retail@4/"):
        InForce(BEGUN, lambda: after(told)).read()


def test_a_bank_of_an_older_release_goes_on_with_its_catalogue(journal: Journal) -> None:
    """The file is another by then, and has no effect."""
    sent = Sent()
    said = CatalogueAdopted(label=FEWER.label, digest=FEWER.digest, catalogue=FEWER.said)
    event = Proposed(DECISIONS, FEWER.digest, CATALOGUES, NOON, DAY, said)
    journal[0].record([Arrival(0, 0, b"", event)], LogOffset("log", 0), NOON)
    adopt(BEGUN, Versions(), journal, sent, ZoneInfo("UTC"))  # type: ignore[arg-type] - a door that keeps
    known = after([event.data for event in sent.events])

    assert known.lineup(CATALOGUE).live == name_of(FEWER)
    assert InForce(BEGUN, lambda: known).idle_files() == [CATALOGUE]


def test_what_an_older_privacy_policy_does_not_class_is_hidden() -> None:
    """A field and an event that came with a later release; it is kept for as long as anything."""
    said = BEGUN.privacy.said
    events, states = dict(said["events"]), dict(said["read_models"])  # type: ignore[call-overload] - mappings, as JSON has them
    del events["offer-presented"]
    states["profile"] = {k: v for k, v in states["profile"].items() if k != "kind"}
    wherever = {name: how for name, how in said["wherever"].items() if name != "born"}  # type: ignore[union-attr] - a mapping
    older = {**said, "version": 2, "events": events, "read_models": states, "wherever": wherever}
    steps: list[Interaction] = [VersionAdopted(group=PRIVACY, version="older@2", policy=older)]
    held = InForce(BEGUN, lambda: after(steps)).privacy

    assert held.read_models["profile"]["kind"] == Classed("C2", "hidden")
    assert set(held.events["offer-presented"].fields.values()) == {Classed("C2", "hidden")}
    assert held.retention[held.events["offer-presented"].retention].years == held.longest
    assert held.wherever["born"] == BEGUN.privacy.wherever["born"]
    assert held.events["offer-accepted"] == BEGUN.privacy.events["offer-accepted"]
