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
from domain.restatements.lifecycle import Restatement, Restatements
from replay.front_door import record
from replay.history.as_of import ends_of_months, history
from replay.restatements.compare import Counting, Report, concerned
from replay.restatements.one_customer import Outcome, Restating
from replay.rollout.commands import RolloutDependencies
from replay.rollout.steps import NotAllowed
from streams.broker.routing import shard_of
from streams.journal import FORGOTTEN, Journal, Shard

SOURCE = "tierfold/restatements"
CHUNK_CUSTOMERS = 200
ATTEMPTS = 20
"""How often a customer is computed anew to whom something happens meanwhile."""


def restatements(journal: Journal, until: str | None = None) -> Restatements:
    """What was decided, by the journal; if asked for, only what was before the step of this id."""
    state = Restatements()
    for event in history(journal[shard_of(STREAM, len(journal))], STREAM):
        if event.id == until:
            break
        if isinstance(event.data, RestatementStep):
            state = lifecycle.evolve(state, event.data)
    return state


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
    live = deps.present().rules.policies
    counting = Counting(name, known.scope, list(live.values()))
    with deps.progress("customers compared", None) as advance:
        for shard in deps.journal:
            restating = Restating(shard, list(live.values()))
            streams = await asyncio.to_thread(
                lambda: sorted(concerned(shard, restating, known.scope))
            )
            for stream in streams:
                found = await asyncio.to_thread(restating.outcome, stream, name, known.scope)
                if found is not None:
                    counting.add(found)
                advance(1)
    return counting.report()


async def approve(deps: RolloutDependencies, name: str, report: str, by: str) -> dict[str, Any]:
    """Agree to a restatement, if this is what it changes."""
    if same_person(by, (brought := _known(deps.journal, name).by)):
        raise NotAllowed(f"{brought} brought {name}, and somebody else has to approve it")
    now = await compare(deps, name)
    if now.digest != report:
        raise NotAllowed(
            "this is not the digest of the comparison as it is now: compare once more, and look at "
            "what changed"
        )
    await _take(deps, RestatementApproved(restatement=name, report=report, by=by))
    return {"restatement": name, "approved_by": by, "report": report, "customers": now.customers}


async def promote(deps: RolloutDependencies, name: str, by: str) -> dict[str, Any]:
    """Let the months count anew, customer by customer; what was cut off goes on.

    Raises `NotAllowed` if it would change something else than was approved.
    """
    known = _known(deps.journal, name)
    if not (known.state == "promoted" and known.is_unfinished):
        step = RestatementPromoted(restatement=name, by=by)
        _must_be_allowed(deps.journal, step)
        now = await compare(deps, name)
        if now.digest not in {each.report for each in known.approvals}:
            raise NotAllowed(
                "it would change something else than was approved: compare once more, and have "
                "somebody approve that"
            )
        await _take(deps, step)
    return await _apply(deps, name, by, taken_back=False)


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
        self._scope = _known(deps.journal, name).scope
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
        return sorted(concerned(shard, Restating(shard, self._policies), self._scope))

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
        restating = Restating(shard, self._policies)
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
