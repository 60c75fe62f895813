"""How is a restatement proposed, compared, approved, promoted, rolled back and withdrawn?"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from uuid import uuid4

from domain.access.four_eyes import same_person
from domain.calendar import Month
from domain.envelope import Proposed, Recorded, in_order
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
from domain.restatements.scope import month_ended
from replay.history.as_of import ends_of_months, history
from replay.restatements.compare import Counting, Report
from replay.restatements.one_customer import Outcome, Restating
from replay.rollout.bank import RolloutDependencies
from replay.rollout.front_door import record
from replay.rollout.steps import NotAllowed
from streams.broker.routing import shard_of
from streams.folds.restatements import restatements
from streams.journal import FORGOTTEN, Journal, Shard

SOURCE = "tierfold/restatements"
CHUNK = 200
"""Customers that are restated at once."""
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
        if known.state != "proposed":
            raise NotAllowed(f"{name} is {known.state}")
        if not known.approvals:
            raise NotAllowed(f"{name} has no approval: compare, and have somebody else approve")
        report = known.approvals[-1].report
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

    def count(shard: Shard, position: int, advance: Callable[[int], None]) -> None:
        restating = Restating(shard, name, known.scope, policies, position)
        for stream in restating.concerned():
            if (found := restating.outcome(stream)) is not None:
                counting.add(found)
            advance(1)

    with deps.progress("customers compared", None) as advance:
        for shard, position in zip(deps.journal, upto, strict=True):
            await asyncio.to_thread(count, shard, position, advance)
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
    known = _known(deps.journal, name)
    policies, upto = list(deps.present().rules.policies.values()), known.approvals[-1].upto
    step = await asyncio.to_thread(_last_step, deps.journal, name)
    reached = left_out = 0
    with deps.progress("customers restated", None) as advance:
        for shard in deps.journal:
            restating = Restating(
                shard, name, known.scope, policies, upto[shard.number], taken_back=taken_back
            )
            reaching = _Reaching(deps, step, restating)
            streams = await asyncio.to_thread(restating.concerned)
            for start in range(0, len(streams), CHUNK):
                some = [
                    each
                    for each in streams[start : start + CHUNK]
                    if await asyncio.to_thread(restating.can_read, each)
                ]
                reached += await reaching.reach(some)
                advance(len(some))
                left_out += len(streams[start : start + CHUNK]) - len(some)
    await asyncio.to_thread(_must_be_last, deps.journal, step, name)
    applied = RestatementApplied(
        restatement=name, taken_back=taken_back, customers=reached, left_out=left_out, by=by
    )
    await _take(deps, applied)
    return {"restatement": name, "customers": reached, "left_out": left_out}


class _Reaching:
    """Records what the months of customers come to, until it holds."""

    def __init__(self, deps: RolloutDependencies, step: Recorded, restating: Restating) -> None:
        self._deps = deps
        self._step = step
        self._restating = restating

    async def reach(self, streams: Sequence[str]) -> int:
        """Restate these, as often as something happens to one of them meanwhile.

        Gives for how many it holds. Raises `NotAllowed` if another step was taken meanwhile.
        """
        waiting, reached = list(streams), 0
        for _ in range(ATTEMPTS):
            found = await asyncio.to_thread(self._outcomes, waiting)
            reached += sum(self._restating.is_done(each) for each in waiting if each not in found)
            if not found:
                return reached
            waiting = list(found)
            words = [_named(self._step, each.stream, each.said) for each in found.values()]
            await record(self._deps.journal, self._deps.producer, words)
        raise NotAllowed(
            f"something happens to {waiting[0]} all the time: give the command once more"
        )

    def _outcomes(self, streams: Sequence[str]) -> dict[str, Outcome]:
        """What is to be recorded, by customer."""
        name = cast("RestatementStep", self._step.data).restatement
        _must_be_last(self._deps.journal, self._step, name)
        found = ((each, self._restating.outcome(each)) for each in streams)
        return {each: outcome for each, outcome in found if outcome is not None}


def _must_be_last(journal: Journal, step: Recorded, name: str) -> None:
    """Raises `NotAllowed` where another step of a restatement was taken behind one."""
    if _last_step(journal, name).id != step.id:
        raise NotAllowed(f"somebody has promoted {name} or rolled it back meanwhile")


def _named(step: Recorded, stream: str, said: MonthsRestated) -> Proposed:
    """A word that follows from a step, named by all that it says: told twice, it is the same."""
    data = in_order(said)
    spelt = data.__pydantic_serializer__.to_json(data)
    name = f"{said.restatement}:{sha256(f'{stream} '.encode() + spelt).hexdigest()[:40]}"
    cause = f"{step.source}#{step.id}"
    return Proposed(SOURCE, name, stream, step.occurred_at, step.business_date, data, cause)


def _last_step(journal: Journal, name: str) -> Recorded:
    """The last promotion or roll-back of a restatement."""
    steps = history(journal[shard_of(STREAM, len(journal))], STREAM)
    return [
        event
        for event in steps
        if isinstance(event.data, RestatementPromoted | RestatementRolledBack)
        and event.data.restatement == name
    ][-1]


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
        ended = sorted(map(month_ended, ends_of_months(shard)))
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
