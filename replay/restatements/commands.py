"""How is a restatement proposed, compared, approved, promoted, rolled back and withdrawn?"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from domain.access.four_eyes import same_person
from domain.calendar import Month, month_of
from domain.envelope import Proposed
from domain.event_types import type_keys
from domain.restatements import lifecycle
from domain.restatements.events import (
    STREAM,
    MonthsRestated,
    RestatementApplied,
    RestatementApproved,
    RestatementPromoted,
    RestatementProposed,
    RestatementRolledBack,
    RestatementStep,
    RestatementWithdrawn,
)
from domain.restatements.lifecycle import Restatement
from replay.history.as_of import ends_of_months
from replay.restatements.compare import Counting, Report
from replay.restatements.one_customer import Outcome, Restating
from replay.rollout.commands import RolloutDependencies
from replay.rollout.front_door import record
from replay.rollout.steps import NotAllowed
from streams.broker.routing import shard_of
from streams.folds.restatements import restatements
from streams.journal import FORGOTTEN, Journal, Shard

SOURCE = "tierfold/restatements"
CHUNK_CUSTOMERS = 200
UNAPPROVED = "0" * 64
"""The digest of no comparison."""
ATTEMPTS = 20
"""How often a customer is computed anew to whom something happens meanwhile."""


async def propose(deps: RolloutDependencies, said: RestatementProposed) -> dict[str, Any]:
    """Bring a restatement; raises `NotAllowed` for months that are open, or before the journal
    begins, and for customers who cannot be read.
    """
    await asyncio.to_thread(_must_be_closed, deps.journal, said.months)
    await asyncio.to_thread(_must_be_known, deps.journal, said.customers)
    await _take(deps, said)
    return {"restatement": said.restatement, "months": list(said.months), "by": said.by}


async def compare(deps: RolloutDependencies, name: str) -> Report:
    """What a restatement would change, as things are now."""
    known = _known(deps.journal, name)
    if known.state != "proposed":
        raise NotAllowed(f"{name} is {known.state}: there is nothing to compare")
    return await _compared(deps, name, known, await asyncio.to_thread(_heads, deps.journal))


async def approve(deps: RolloutDependencies, name: str, report: str, by: str) -> dict[str, Any]:
    """Agree to a restatement, if this is what it changes."""
    known = _known(deps.journal, name)
    if same_person(by, known.by):
        raise NotAllowed(f"{known.by} brought {name}, and somebody else has to approve it")
    upto = await asyncio.to_thread(_heads, deps.journal)
    now = await _compared(deps, name, known, upto)
    if now.digest != report:
        raise NotAllowed(
            "this is not the digest of the comparison as it is now: compare once more, and look at "
            "what changed"
        )
    step = RestatementApproved(restatement=name, report=report, upto=upto, by=by)
    await _take(deps, step)
    return {"restatement": name, "approved_by": by, "report": report, "customers": now.customers}


async def promote(deps: RolloutDependencies, name: str, by: str) -> dict[str, Any]:
    """Let the months count anew, customer by customer; what was cut off goes on.

    Raises `NotAllowed` if it would change something else than was approved last.
    """
    known = _known(deps.journal, name)
    if not (known.state == "promoted" and known.is_unfinished):
        report = known.approvals[-1].report if known.approvals else UNAPPROVED
        step = RestatementPromoted(restatement=name, report=report, by=by)
        _must_be_allowed(deps.journal, step)
        now = await _compared(deps, name, known, known.approvals[-1].upto)
        if now.digest != report:
            raise NotAllowed(
                "it would change something else than was approved: compare once more, and have "
                "somebody approve that"
            )
        await _take(deps, step)
    return await _apply(deps, name, by, taken_back=False)


def _heads(journal: Journal) -> tuple[int, ...]:
    """The last position of each shard."""
    return tuple(shard.head() for shard in journal)


async def _compared(
    deps: RolloutDependencies, name: str, known: Restatement, upto: Sequence[int]
) -> Report:
    """What it would change by what was recorded up to some positions."""
    policies = list(deps.present().rules.policies.values())
    counting = Counting(name, known.scope, policies)
    with deps.progress("customers compared", None) as advance:
        for shard, position in zip(deps.journal, upto, strict=True):
            restating = Restating(shard, policies, position)
            for stream in await asyncio.to_thread(restating.concerned, known.scope):
                found = await asyncio.to_thread(restating.outcome, stream, name, known.scope)
                if found is not None:
                    counting.add(found)
                advance(1)
    return counting.report()


async def roll_back(deps: RolloutDependencies, name: str, by: str, reason: str) -> dict[str, Any]:
    """Let the months count as they did before; what was cut off goes on."""
    known = _known(deps.journal, name)
    if not (known.state == "rolled-back" and known.is_unfinished):
        await _take(deps, RestatementRolledBack(restatement=name, by=by, reason=reason))
    return await _apply(deps, name, by, taken_back=True)


async def withdraw(deps: RolloutDependencies, name: str, by: str, reason: str) -> dict[str, Any]:
    """Let a restatement be that was proposed."""
    await _take(deps, RestatementWithdrawn(restatement=name, by=by, reason=reason))
    return {"withdrawn": name}


async def _apply(
    deps: RolloutDependencies, name: str, by: str, *, taken_back: bool
) -> dict[str, Any]:
    """Restate every customer whose months it changes, and note how many these are."""
    applying = _Applying(deps, name, taken_back=taken_back)
    with deps.progress("customers restated", None) as advance:
        reached = 0
        for shard in deps.journal:
            streams = await asyncio.to_thread(applying.streams, shard)
            for start in range(0, len(streams), CHUNK_CUSTOMERS):
                some = streams[start : start + CHUNK_CUSTOMERS]
                reached += await applying.reach(shard, some)
                advance(len(some))
    await _take(deps, RestatementApplied(restatement=name, customers=reached, by=by))
    return {"restatement": name, "customers": reached}


class _Applying:
    """Records what the months of customers come to, until it holds."""

    def __init__(self, deps: RolloutDependencies, name: str, *, taken_back: bool) -> None:
        self._deps = deps
        self._name = name
        self._taken_back = taken_back
        known = _known(deps.journal, name)
        self._scope, self._upto = known.scope, known.approvals[-1].upto
        self._policies = list(deps.present().rules.policies.values())

    def streams(self, shard: Shard) -> list[str]:
        """The customers of a shard who may be concerned, in order."""
        if self._taken_back:
            return sorted(
                {
                    event.stream
                    for event in shard.events(sorted(type_keys(MonthsRestated)))
                    if isinstance(event.data, MonthsRestated)
                    and event.data.restatement == self._name
                }
            )
        return self._restating(shard).concerned(self._scope)

    def _restating(self, shard: Shard) -> Restating:
        return Restating(shard, self._policies, self._upto[shard.number])

    async def reach(self, shard: Shard, streams: Sequence[str]) -> int:
        """Restate these, as often as something happens to one of them meanwhile.

        Gives how many the restatement, or that it was taken back, holds for.
        """
        waiting, reached = list(streams), set[str]()
        for _ in range(ATTEMPTS):
            found, there = await asyncio.to_thread(self._outcomes, shard, waiting)
            reached |= there
            if not found:
                return len(reached)
            await record(
                self._deps.journal, self._deps.producer, [self._event(each) for each in found]
            )
            waiting = [each.stream for each in found]
        raise NotAllowed(
            f"something happens to {waiting[0]} all the time: give the command once more"
        )

    def _outcomes(self, shard: Shard, streams: Sequence[str]) -> tuple[list[Outcome], set[str]]:
        """What is to be recorded, and for whom it holds already."""
        restating = self._restating(shard)
        found, there = list[Outcome](), set[str]()
        for stream in streams:
            if self._taken_back:
                outcome = restating.taken_back(stream, self._name)
                done = outcome is None
            else:
                done = restating.has(stream, self._name)
                outcome = None if done else restating.outcome(stream, self._name, self._scope)
            if outcome is not None:
                found.append(outcome)
            elif done:
                there.add(stream)
        return found, there

    def _event(self, found: Outcome) -> Proposed:
        """Named by what it follows, so that telling it twice is telling the same."""
        whom = sha256(found.stream.encode()).hexdigest()[:32]
        now = datetime.now(self._deps.zone)
        name = f"{self._name}:{whom}:{found.said.after}"
        return Proposed(SOURCE, name, found.stream, now, now.date(), found.said)


def _known(journal: Journal, name: str) -> Restatement:
    known = restatements(journal).known
    if name not in known:
        raise NotAllowed(f"there is no restatement {name}: there are {', '.join(known) or 'none'}")
    return known[name]


def _must_be_allowed(journal: Journal, step: RestatementStep, until: str | None = None) -> None:
    if why := lifecycle.refusal(restatements(journal, until), step):
        raise NotAllowed(f"somebody else was faster: {why}" if until else why)


async def _take(deps: RolloutDependencies, step: RestatementStep) -> None:
    """Take a step, and wait until the journal has it; raises `NotAllowed` if it is not allowed,
    also where somebody else was faster.
    """
    await asyncio.to_thread(_must_be_allowed, deps.journal, step)
    now = datetime.now(deps.zone)
    event = Proposed(SOURCE, uuid4().hex, STREAM, now, now.date(), step)
    await record(deps.journal, deps.producer, [event])
    await asyncio.to_thread(_must_be_allowed, deps.journal, step, event.id)


def _must_be_closed(journal: Journal, months: Sequence[Month]) -> None:
    """Raises `NotAllowed` for a month that has not ended in every shard, or was over before the
    bank ended its first.
    """
    for shard in journal:
        ended = sorted(month_of(end.business_date) for end in ends_of_months(shard))
        if not ended:
            raise NotAllowed("no month has ended yet: what comes late counts where it belongs")
        for month in months:
            if month > ended[-1]:
                raise NotAllowed(
                    f"{month} has not ended: what comes late for it counts in it by itself"
                )
            if month < ended[0]:
                raise NotAllowed(
                    f"{month} is before the journal begins: its first month is {ended[0]}"
                )


def _must_be_known(journal: Journal, customers: Sequence[str]) -> None:
    """Raises `NotAllowed` for customers of whom nothing is recorded, or nothing can be read."""
    for customer in customers:
        shard = journal[shard_of(customer, len(journal))]
        rows = shard.rows(customer, limit=1)
        if not rows:
            raise NotAllowed(f"nothing was ever recorded of {customer}")
        if shard.opened(rows)[0].event_type == FORGOTTEN:
            raise NotAllowed(f"{customer} was forgotten, or is restricted: leave them out")
