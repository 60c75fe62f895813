"""Whose turn is it to tell of changes of tier, where no switch has said so?

That of the version that readers see, from the first start on: what was before it is not told late.
"""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from domain.envelope import REACTIONS, Proposed
from domain.event import BANK
from projections.registry import Present
from projections.rollout.versions import switched
from projections.tiering.announcing import TURNS, Turn
from streams.folds.shard_fold import Emit
from streams.journal import Journal, Shard
from streams.observability.metrics import SCHEMES_SILENT


async def begin_turns(journal: Journal, present: Present, emit: Emit) -> None:
    """Say of each scheme which version tells, where a shard has not heard of any.

    And where the bank has not adopted a policy yet, and begins with another one now. Saying it
    twice does no harm: a version that takes its own place moves nobody.
    """
    known = [await asyncio.to_thread(_turns, shard) for shard in journal]
    live = {group: each for group, each in present.versions.schemes.items() if each.live}
    silent = [
        group
        for group, lineup in live.items()
        if any(group not in turns or turns[group].version != lineup.live for turns in known)
    ]
    SCHEMES_SILENT.set(len(silent))
    said = [
        switched(group, live[group], live[group].live)
        for group in silent
        if not live[group].switches or any(group not in turns for turns in known)
    ]
    now = datetime.now(UTC)
    await emit(
        [Proposed(REACTIONS, f"turn:{uuid4().hex}", BANK, now, now.date(), each) for each in said]
    )


def _turns(shard: Shard) -> dict[str, Turn]:
    """By scheme, whose turn it is in a shard."""
    turns = TURNS.initial
    for event in shard.own():
        turns = TURNS.evolve(turns, event)
    return turns.by_group
