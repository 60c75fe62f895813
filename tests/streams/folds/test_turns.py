"""Whose turn it is to record changes of tier: said once, by each step, and where nobody has."""

from collections.abc import Sequence
from typing import Any

import pytest

from domain.envelope import Proposed, Recorded
from domain.rollout.events import (
    RULED,
    STREAM,
    SchemeSwitched,
    Step,
    VersionAdopted,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
    VersionRolledBack,
)
from domain.rollout.lifecycle import Versions
from domain.tiering.policy import TierPolicy
from projections.registry import present
from projections.rollout.versions import STEPS, name_of
from streams.broker.routing import spread
from streams.folds.turns import begin_turns
from streams.journal import Arrival, Journal, LogOffset
from streams.observability.metrics import SCHEMES_SILENT
from tests.conftest import NOON, recorded


class Door:
    """Takes what is said into every shard."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.said: list[Any] = []
        for shard in journal:
            shard.claim()

    async def emit(self, proposed: Sequence[Proposed]) -> None:
        """Record it."""
        for event in proposed:
            self.said.append(event.data)
            offset = LogOffset("log", len(self.said))
            for number, copy in enumerate(spread(event, len(self.journal))):
                self.journal[number].record([Arrival(len(self.said), 0, b"", copy)], offset, NOON)


def other(policy: TierPolicy) -> TierPolicy:
    """The same rule, in another version."""
    return policy.model_copy(update={"version": 2})


async def test_a_bank_says_at_its_first_start_which_version_has_its_turn(
    sqlite_journal: Journal, bohai: TierPolicy
) -> None:
    """Not at its second; and once more where it begins with another rule, and nobody decided."""
    door = Door(sqlite_journal)
    for policy in (bohai, bohai, other(bohai), other(bohai)):
        await begin_turns(sqlite_journal, present(Versions(), policy), door.emit)

    names = [name_of(bohai), name_of(other(bohai))]
    assert [(each.before, each.after) for each in door.said] == [(name, name) for name in names]
    assert SCHEMES_SILENT._value.get() == 0


async def test_a_scheme_is_silent_until_it_is_said(
    sqlite_journal: Journal, bohai: TierPolicy
) -> None:
    """The gauge tells so where the word does not come in."""

    async def shut(_proposed: Sequence[Proposed]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await begin_turns(sqlite_journal, present(Versions(), bohai), shut)
    assert SCHEMES_SILENT._value.get() == 1

    door = Door(sqlite_journal)
    for _ in range(2):  # the second look finds the word of the first
        await begin_turns(sqlite_journal, present(Versions(), bohai), door.emit)
    assert SCHEMES_SILENT._value.get() == 0


def test_every_step_that_changes_what_is_live_is_said_to_the_shards(bohai: TierPolicy) -> None:
    """What a bank began with goes on; then there, and back; no other step says anything."""
    first, second = name_of(bohai), name_of(other(bohai))
    steps: list[Step] = [
        VersionAdopted(group=RULED, version=first, policy=bohai.said),
        VersionProposed(group=RULED, version=second, policy=other(bohai).said, by="li"),
        VersionApproved(group=RULED, version=second, report="0" * 64, by="zhang"),
        VersionPromoted(group=RULED, version=second, by="zhang"),
        VersionRolledBack(group=RULED, by="zhang", reason="a test"),
    ]
    states: Any = STEPS.initial
    said: list[list[Any]] = []
    for position, step in enumerate(steps, start=1):
        event: Recorded = recorded(step, position, STREAM)
        after = STEPS.evolve(states, event)
        assert STEPS.react is not None
        said.append([each.data for each in STEPS.react(STREAM, states, after, event)])
        states = after

    def word(switch: int, before: str, after: str) -> list[SchemeSwitched]:
        return [SchemeSwitched(group=RULED, switch=switch, before=before, after=after)]

    assert said == [word(0, first, first), [], [], word(1, first, second), word(2, second, first)]
