"""Which changes of tier does a version of standings tell of, and when is it its turn?

One version of a scheme at a time, by position: from the word of a switch in the shard's own stream
on, until the next. So whoever folds history once more tells the same, and nothing twice.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from itertools import chain, pairwise, repeat
from typing import NamedTuple

from domain.bank.events import DayClosed
from domain.calendar import Month
from domain.envelope import Proposed, Recorded, following
from domain.event import Interaction
from domain.fastcopy import changed
from domain.households.events import WholeMonthClosed
from domain.restatements.events import MonthsRestated
from domain.rollout.events import SchemeSwitched
from domain.tiering.assessment import Announced, Standing, announced_on
from domain.tiering.events import Ground, TierChanged, TierOverridden, TierOverrideWithdrawn
from domain.tiering.policy import TierPolicy
from projections.projection import Projection

DAY = timedelta(days=1)


class Turn(NamedTuple):
    """The version whose turn it is, by which switch of its scheme, from which position on."""

    version: str | None
    switch: int
    since: int


@dataclass(frozen=True)
class Turns:
    """By group of versions, whose turn it is.

    `today` is the day after the last one that ended, `yesterday` what that was before the last
    end of a day; both `date.min` before any.
    """

    by_group: dict[str, Turn] = field(default_factory=dict)
    today: date = date.min
    yesterday: date = date.min


def _evolve(turns: Turns, event: Recorded) -> Turns:
    match event.data:
        case SchemeSwitched() as said if _counts(turns.by_group.get(said.group), said):
            turn = Turn(said.after, said.switch, event.position)
            return changed(turns, by_group={**turns.by_group, said.group: turn})
        case DayClosed(date=day):
            return changed(turns, today=max(turns.today, day + DAY), yesterday=turns.today)
        case _:
            return turns


def _counts(turn: Turn | None, said: SchemeSwitched) -> bool:
    """Whether the word of a switch counts.

    Trap: the steps of older releases had no word. Folded once more, they say it behind newer ones.
    """
    if turn is None or said.switch > turn.switch:
        return True
    return said.switch == turn.switch and said.before == said.after


TURNS = Projection("turns", 1, Turns(), _evolve)


class Left(NamedTuple):
    """A customer as the version before says, at a switch: what was told, and whether it covers such
    customers.
    """

    told: Announced
    covered: bool


class Version(NamedTuple):
    """A version of standings: those among which it is, its name, and its policy."""

    group: str
    name: str
    policy: TierPolicy

    def heeds(self, data: Interaction) -> bool:
        """Whether an event of the shard may move somebody without changing a standing.

        A tier set by hand ends with a day. And a switch in this scheme must not wait among what is
        held back: the version that takes the place waits for the one before.
        """
        return isinstance(data, DayClosed) or (
            isinstance(data, SchemeSwitched) and data.group == self.group
        )

    def follows(self, event: Recorded) -> str | None:
        """In the place of which version readers see this one from an event on.

        Empty where a scheme begins with it, or ends with it; None for all other events.
        """
        turn = self._turn(event)
        if turn is None or turn.since != event.position:
            return None
        match event.data:
            case SchemeSwitched(group=self.group, before=before, after=self.name):
                return None if before == self.name else before or ""
            case SchemeSwitched(group=self.group, before=self.name, after=None):
                return ""
            case _:
                return None

    def by(self, event: Recorded) -> date:
        """The day by which a tier set by hand ends with an event."""
        today: date = event.context.today
        return max(today, date.min + DAY) - DAY

    def _turn(self, event: Recorded) -> Turn | None:
        turns: Turns = event.context
        return turns.by_group.get(self.group)

    def left(self, standing: Standing, kind: str, event: Recorded) -> Left:
        """What this version had told of a customer when another took its place."""
        today = event.context.today
        return Left(announced_on(self.policy, standing, today), self.policy.covers(kind))

    def moved(self, stream: str, steps: Iterable[Standing], event: Recorded) -> Iterator[Proposed]:
        """What is told of a customer whose standing took some steps by an event, the first of them
        the one before it.

        Nothing, where it is another version's turn.
        """
        turns, turn = event.context, self._turn(event)
        if turn is None or turn.version != self.name:
            return
        days = chain(
            (turns.yesterday if isinstance(event.data, DayClosed) else turns.today,),
            repeat(turns.today),
        )
        told = (
            (standing, announced_on(self.policy, standing, day))
            for standing, day in zip(steps, days, strict=False)
        )
        for (was, before), (now, after) in pairwise(told):
            if before.tier != after.tier:
                yield self._change(stream, was, before, now, after, event)

    def switched(
        self, stream: str, standing: Standing, kind: str, event: Recorded, left: Left | None
    ) -> Iterator[Proposed]:
        """What is told of a customer where this version takes the place of another, or ends a
        scheme.

        Where there is none before or behind it, all stand in the lowest tier.
        """
        said = event.data
        assert isinstance(said, SchemeSwitched)
        own = self.left(standing, kind, event)
        nothing = Left(Announced(self.policy.tiers[0].tier, None), covered=False)
        old, new = (own, nothing) if said.after is None else (left or nothing, own)
        if old.told.tier != new.told.tier and (old.covered or new.covered):
            effective = _from(event, new.told)
            yield self._says(stream, old.told.tier, new.told.tier, effective, "switch", event)

    def _change(
        self,
        stream: str,
        was: Standing,
        before: Announced,
        now: Standing,
        after: Announced,
        event: Recorded,
    ) -> Proposed:
        ground, effective = _ground(before, after, event.data), _from(event, after)
        if ground in ("assessment", "household"):
            assert now.since is not None
            assert now.grounds is not None
            said = self._says(stream, before.tier, after.tier, now.since, ground, event)
            return said._replace(id=self._name(stream, now.grounds.month))
        if ground == "by-hand-ended":
            assert was.override is not None
            effective = max(was.override.until + DAY, after.since or date.min)
        return self._says(stream, before.tier, after.tier, effective, ground, event)

    def _name(self, stream: str, month: Month) -> str:
        """Trap: which event ends a month may differ, where a customer's first events came late and
        the month is folded once more. So an assessment is not named after it.
        """
        said = f"{stream} {self.group} {self.name} {month}"
        return f"tier:{sha256(said.encode()).hexdigest()}"

    def _says(
        self,
        stream: str,
        before: str,
        after: str,
        effective: date,
        ground: Ground,
        event: Recorded,
    ) -> Proposed:
        data = TierChanged(
            before=before,
            after=after,
            policy=self.policy.label,
            effective=effective,
            scheme=self.policy.scheme,
            ground=ground,
            corrects=_wrong(event.data, self.policy.scheme),
        )
        return following(event, "tier", stream, data, f"{stream} {self.group} {ground}")


def _wrong(data: Interaction, scheme: str) -> tuple[str, ...]:
    """The changes in a scheme that were told and would not have been, as a restatement says."""
    return data.wrong.get(scheme, ()) if isinstance(data, MonthsRestated) else ()


def _from(event: Recorded, told: Announced) -> date:
    """From which day on a tier holds that is told by an event: its own, unless that is over, or
    the tier holds later.
    """
    turns: Turns = event.context
    return max(event.business_date, turns.today, told.since or date.min)


def _ground(before: Announced, after: Announced, data: Interaction) -> Ground:
    match data:
        case MonthsRestated():
            return "restatement"
        case TierOverridden() if after.by_hand:
            return "by-hand"
        case TierOverridden() | TierOverrideWithdrawn():
            return "by-hand-withdrawn"
        case _ if before.by_hand:
            return "by-hand-ended"
        case WholeMonthClosed():
            return "household"
        case _:
            return "assessment"
