"""What do four tiering schemes cost, beside one?

CPU microseconds an event of the embedded stack, in pairs of runs.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence

from deploy.bench.cost import seconds_of
from deploy.bench.parts import REPEATS, Figure
from deploy.bench.path import SETTLED, stack
from deploy.operations.feed import feed_all
from deploy.operations.rollout import bank_of
from deploy.operations.summary import wait_until_settled
from deploy.policy_files import read_policy
from deploy.settings import POLICIES, Settings
from replay.rollout import commands, comparing, rebuilding
from replay.rollout.names import LIVE

OTHERS = ("icbc-stars", "private-entry-six-million", "corporate-key-accounts")


def schemes(raws: Sequence[bytes]) -> list[Figure]:
    """The cost of an event with four schemes live, beside that with one."""
    one, four = [], []
    for _ in range(REPEATS):
        one.append(_cost(raws, ()))
        four.append(_cost(raws, OTHERS))
    middle = statistics.median(one)
    return [
        Figure(
            "cost_us_an_event with four schemes",
            statistics.median(four),
            "us",
            {},
            {"with one": middle},
        )
    ]


def _cost(raws: Sequence[bytes], others: Sequence[str]) -> float:
    with stack() as settings:
        asyncio.run(_begun(settings, others))
        time.sleep(SETTLED)
        before = seconds_of(settings)
        feed_all(settings, raws, lambda _count: None)
        asyncio.run(wait_until_settled(settings))
        after = seconds_of(settings)
    return sum(now - before[name] for name, now in after.items()) * 1e6 / len(raws)


async def _begun(settings: Settings, others: Sequence[str]) -> None:
    """Let these schemes begin, before there is anybody in them."""
    async with bank_of(settings) as deps:
        for name in others:
            policy = read_policy(POLICIES / "tiers" / f"{name}.yaml")
            made = await rebuilding.rebuild(deps, "tier", policy, "li.wei", None)
            found = await comparing.compare(deps, LIVE, made["version"])
            await commands.approve(deps, "tier", made["version"], found.digest, "zhang.min")
            await commands.promote(deps, "tier", made["version"], "zhang.min")
