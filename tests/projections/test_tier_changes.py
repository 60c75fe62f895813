"""What is said of a change of tier: its ground, from which day on, and under which policy."""

from datetime import date, timedelta
from typing import Any

import pytest

from domain.bank.events import DayClosed
from domain.envelope import Proposed, Recorded
from domain.event import Interaction
from domain.households.events import WholeMonthClosed
from domain.households.membership import Sums
from domain.rollout.events import RULED, SchemeSwitched
from domain.tiering.assessment import Announced, Grounds, Override, Standing, announced_on
from domain.tiering.events import TierChanged, TierOverridden, TierOverrideWithdrawn
from domain.tiering.policy import TierPolicy
from projections.tiering.announcing import TURNS, Left, Turn, Turns, Version
from tests.conftest import recorded

MARCH = date(2026, 3, 31)
TODAY = date(2026, 4, 1)
BY_HAND = Override("diamond", "head", "known", date(2026, 3, 31))
GROUNDS = Grounds("2026-03", {}, "gold")
GOLD = Standing(tier="gold", since=TODAY, before="mass", grounds=GROUNDS)
MASS = Standing(tier="mass", since=date(2026, 1, 1))
SUMMED = WholeMonthClosed(
    whole="household:1", month="2026-03", members=2, total=Sums(), shared=Sums()
)
HELD = TierOverridden(tier="diamond", approver="head", reason="known", until=date(2026, 5, 1))
TAKEN = TierOverrideWithdrawn(approver="head", reason="known no more")


def with_hand(standing: Standing, until: date = BY_HAND.until) -> Standing:
    """The standing with a tier set by hand."""
    return Standing(
        standing.tier,
        standing.since,
        standing.before,
        grounds=standing.grounds,
        override=Override("diamond", "head", "known", until),
    )


def told(event: Interaction, day: date, turns: Turns) -> Recorded:
    """An event with what the shard's own stream had said by then."""
    return recorded(event, 7, "customer:1", day)._replace(context=turns)


def said(found: Any) -> list[tuple[str, str, str, date]]:
    """What is said in each change."""
    events: list[Proposed] = list(found)
    return [
        (each.data.ground, each.data.before, each.data.after, each.data.effective)
        for each in events
        if isinstance(each.data, TierChanged)
    ]


MOVES: dict[str, tuple[Interaction, date, Standing, Standing, tuple[str, str, str, date]]] = {
    "assessed": (
        *(DayClosed(date=MARCH), MARCH, MASS, GOLD),
        ("assessment", "mass", "gold", TODAY),
    ),
    "assessed for the first time": (
        *(DayClosed(date=MARCH), MARCH, Standing(), GOLD),
        ("assessment", "mass", "gold", TODAY),
    ),
    "by what the household came to": (
        *(SUMMED, MARCH, MASS, GOLD),
        ("household", "mass", "gold", TODAY),
    ),
    "by hand": (
        *(HELD, date(2026, 4, 7), MASS, with_hand(MASS, HELD.until)),
        ("by-hand", "mass", "diamond", date(2026, 4, 7)),
    ),
    "by hand, on a day that is closed": (
        *(HELD, MARCH, MASS, with_hand(MASS, HELD.until)),
        ("by-hand", "mass", "diamond", TODAY),
    ),
    "taken back": (
        *(TAKEN, date(2026, 4, 7), with_hand(MASS, HELD.until), MASS),
        ("by-hand-withdrawn", "diamond", "mass", date(2026, 4, 7)),
    ),
    "taken back by one that is over": (
        *(HELD.model_copy(update={"until": MARCH}), date(2026, 4, 7)),
        *(with_hand(MASS, HELD.until), with_hand(MASS, MARCH)),
        ("by-hand-withdrawn", "diamond", "mass", date(2026, 4, 7)),
    ),
    "ended": (
        *(DayClosed(date=MARCH), MARCH, with_hand(MASS), with_hand(MASS)),
        ("by-hand-ended", "diamond", "mass", TODAY),
    ),
    "ended days ago, when no day was closed": (
        *(DayClosed(date=MARCH), MARCH, with_hand(MASS, date(2026, 3, 29)), MASS),
        ("by-hand-ended", "diamond", "mass", date(2026, 3, 30)),
    ),
    "ended, and assessed at once": (
        *(DayClosed(date=MARCH), MARCH, with_hand(MASS), GOLD),
        ("by-hand-ended", "diamond", "gold", TODAY),
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_each_ground_has_its_day(bohai: TierPolicy, name: str) -> None:
    """The day that the rule says, that of the event, or the first that is not closed."""
    data, day, before, after, expected = MOVES[name]
    version = Version(RULED, "v1", bohai)
    turns = Turns({RULED: Turn("v1", 1, 1)}, TODAY, date(2026, 3, 29))
    event = told(data, day, turns)

    [change] = version.moved("customer:1", (before, after), event)

    assert said([change]) == [expected]
    assert isinstance(change.data, TierChanged)
    assert (change.data.policy, change.data.scheme) == ("bohai-retail@1", "retail")
    assert (change.stream, change.cause) == ("customer:1", "test#7")


@pytest.mark.parametrize(
    ("before", "after", "turn"),
    [
        (MASS, GOLD, "v2"),
        (MASS, GOLD, None),
        (MASS, MASS, "v1"),
        (with_hand(MASS, HELD.until), with_hand(GOLD, HELD.until), "v1"),
    ],
)
def test_nothing_is_said_where_nobody_sees_a_change(
    bohai: TierPolicy, before: Standing, after: Standing, turn: str | None
) -> None:
    """It is another version's turn or nobody's, the tier is the same, or one set by hand holds."""
    turns = Turns({RULED: Turn(turn, 1, 1)}, TODAY, date(2026, 3, 31))
    event = told(DayClosed(date=MARCH), MARCH, turns)

    assert said(Version(RULED, "v1", bohai).moved("customer:1", (before, after), event)) == []


def switched(before: str | None, after: str | None) -> Recorded:
    """The word of a switch, told on the seventh of April."""
    data = SchemeSwitched(group=RULED, switch=1, before=before, after=after)
    return told(data, date(2026, 4, 7), Turns({RULED: Turn(after, 1, 7)}, date(2026, 4, 7)))


def test_a_switch_says_what_readers_see_anew(bohai: TierPolicy) -> None:
    """Where one version takes the place of another, begins a scheme, and ends it."""
    version = Version(RULED, "v2", bohai)
    left = Left(Announced("platinum", MARCH), covered=True)
    one, first, last = switched("v1", "v2"), switched(None, "v2"), switched("v2", None)
    day = date(2026, 4, 7)

    assert [version.follows(each) for each in (one, first, last)] == ["v1", "", ""]
    assert version.follows(switched("v2", "v2")) is None
    assert version.follows(switched("v2", "v3")) is None
    assert said(version.switched("customer:1", GOLD, "person", one, left)) == [
        ("switch", "platinum", "gold", day)
    ]
    assert said(version.switched("customer:1", GOLD, "person", first, None)) == [
        ("switch", "mass", "gold", day)
    ]
    assert said(version.switched("customer:1", GOLD, "person", last, None)) == [
        ("switch", "gold", "mass", day)
    ]
    assert said(version.switched("customer:1", MASS, "person", first, None)) == []


def test_a_tier_that_is_to_come_is_told_with_its_day(bohai: TierPolicy) -> None:
    """A switch between an assessment and the day from which its tier holds."""
    later = Standing(tier="gold", since=date(2026, 5, 1), before="mass")
    version = Version(RULED, "v2", bohai)

    assert said(version.switched("customer:1", later, "person", switched(None, "v2"), None)) == [
        ("switch", "mass", "gold", date(2026, 5, 1))
    ]


def test_whom_neither_version_covers_hears_nothing(bohai: TierPolicy) -> None:
    """Though the lowest tiers have other names."""
    persons = bohai.model_copy(update={"applies_to": "person"})
    left = Left(Announced("basic", None), covered=False)
    version = Version(RULED, "v2", persons)

    assert (
        said(version.switched("customer:1", Standing(), "company", switched("v1", "v2"), left))
        == []
    )


@pytest.mark.parametrize(
    ("day", "tier"),
    [(BY_HAND.until, "diamond"), (BY_HAND.until + timedelta(days=1), "gold")],
)
def test_a_tier_set_by_hand_holds_through_its_last_day(
    bohai: TierPolicy, day: date, tier: str
) -> None:
    """Then the assessed one, even before it takes effect; one that no rule has never does."""
    unknown = Standing(tier="gold", since=TODAY, override=Override("x", "a", "r", BY_HAND.until))

    assert announced_on(bohai, with_hand(GOLD), day).tier == tier
    assert announced_on(bohai, unknown, day).tier == "gold"


def test_words_of_older_steps_that_come_late_change_no_turn() -> None:
    """A history of an older release, folded once more, says them behind newer ones."""

    def word(position: int, switch: int, before: str | None, after: str | None) -> Recorded:
        data = SchemeSwitched(group=RULED, switch=switch, before=before, after=after)
        return recorded(data, position, "shard:0")

    words = [
        *(word(1, 1, "b", "b"), word(2, 2, "b", "c"), word(3, 0, "a", "a"), word(4, 1, "a", "b")),
        *(word(5, 2, "b", "c"), word(6, 0, None, "a")),
    ]
    turns = TURNS.initial
    held = []
    for each in words:
        turns = TURNS.evolve(turns, each)
        held.append(turns.by_group[RULED])

    assert held == [Turn("b", 1, 1), *[Turn("c", 2, 2)] * 5]
