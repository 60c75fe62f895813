"""What do four tiering schemes cost, beside one?

CPU microseconds an event of the embedded stack, but for the guard, which goes round by the clock
and not by events; and seconds until a candidate is tried, in pairs of runs.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence

from deploy.active_groups import present_of
from deploy.bench.cost import seconds_of
from deploy.bench.parts import REPEATS, Figure
from deploy.bench.path import SETTLED, stack
from deploy.operations.feed import feed_all
from deploy.operations.rollout import bank_of
from deploy.operations.summary import wait_until_settled
from deploy.policy_files import read_policy
from deploy.settings import POLICIES, Settings
from deploy.wiring import store_of
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.registry import Present
from replay.rollout import commands, comparing, rebuilding
from replay.rollout.names import LIVE
from replay.what_if.candidates import what_if
from replay.what_if.columns import Columns
from replay.what_if.snapshot import gathered

GUARD = "guard"
OTHERS = ("icbc-stars", "private-entry-six-million", "corporate-key-accounts")


def schemes(raws: Sequence[bytes]) -> list[Figure]:
    """The cost of an event and the time of a `what-if` with four schemes live, beside one."""
    one, four = list[tuple[float, float]](), list[tuple[float, float]]()
    for _ in range(REPEATS):
        one.append(_measured(raws, ()))
        four.append(_measured(raws, OTHERS))
    alone, beside = (
        [statistics.median(figures) for figures in zip(*each, strict=True)] for each in (one, four)
    )
    return [
        Figure("cost_us_an_event with four schemes", beside[0], "us", {}, {"with one": alone[0]}),
        Figure("what_if_seconds with four schemes", beside[1], "s", {}, {"with one": alone[1]}),
    ]


def _measured(raws: Sequence[bytes], others: Sequence[str]) -> tuple[float, float]:
    """CPU microseconds an event, and seconds of a `what-if` from the read models on."""
    with stack() as settings:
        asyncio.run(_begun(settings, others))
        time.sleep(SETTLED)
        before = seconds_of(settings)
        feed_all(settings, raws, lambda _count: None)
        asyncio.run(wait_until_settled(settings))
        after = seconds_of(settings)
        tried = statistics.median(_what_if(settings) for _ in range(REPEATS))
    spent = sum(now - before[name] for name, now in after.items() if name != GUARD)
    return spent * 1e6 / len(raws), tried


def _what_if(settings: Settings) -> float:
    """Seconds to gather the facts from the read models, and to try a rule of the first scheme."""
    candidate = read_policy(POLICIES / "tiers" / "cmb-sunflower.yaml")
    began = time.perf_counter()
    seen = present_of(settings)
    columns = asyncio.run(_facts(settings, seen))
    what_if(columns, seen.rules.policies, [candidate])
    return time.perf_counter() - began


async def _facts(settings: Settings, seen: Present) -> Columns:
    store = store_of(settings)
    try:
        groups = seen.of(CUSTOMERS.name), seen.of(CASES.name)
        return await gathered(store, *groups, settings.shards, lambda _count: None)
    finally:
        await store.close()


async def _begun(settings: Settings, others: Sequence[str]) -> None:
    """Let these schemes begin, before there is anybody in them."""
    async with bank_of(settings) as deps:
        for name in others:
            policy = read_policy(POLICIES / "tiers" / f"{name}.yaml")
            made = await rebuilding.rebuild(deps, "tier", policy, "li.wei", None)
            found = await comparing.compare(deps, LIVE, made["version"])
            await commands.approve(deps, "tier", made["version"], found.digest, "zhang.min")
            await commands.promote(deps, "tier", made["version"], "zhang.min")
