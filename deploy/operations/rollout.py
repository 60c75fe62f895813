"""How do the commands of a roll-out reach a bank? By the dependencies of its settings."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from deploy.active_groups import begun_with
from deploy.observability.logs import set_up_logs
from deploy.settings import Settings
from deploy.terminal import UserError, progress
from deploy.wiring import existing_journal, producer_of, store_of
from projections.projection import Group
from projections.redis import RedisError
from replay.rebuild.in_place import Refill
from replay.rollout.bank import Progress, RolloutDependencies

T = TypeVar("T")


def run(settings: Settings, action: Callable[[RolloutDependencies], Coroutine[Any, Any, T]]) -> T:
    """What an action comes to, with the dependencies of these settings.

    Raises `UserError` where the read models do not answer.
    """

    async def act() -> T:
        async with bank_of(settings) as deps:
            return await action(deps)

    try:
        return asyncio.run(act())
    except RedisError as error:
        raise UserError(
            f"the read models do not answer ({error}): start the stack first"
        ) from error


@asynccontextmanager
async def bank_of(
    settings: Settings, shown: Progress = progress
) -> AsyncIterator[RolloutDependencies]:
    """The journal, the read models and the front door of these settings."""
    journal, store = existing_journal(settings), store_of(settings)
    producer = producer_of(settings, journal)
    try:
        yield RolloutDependencies(
            journal, store, producer, begun_with(settings), ZoneInfo(settings.timezone), shown
        )
    finally:
        await asyncio.to_thread(producer.close, 5.0)
        await store.close()


def refill_of(settings: Settings, deps: RolloutDependencies, group: Group) -> Refill:
    """Processes of this machine that fill a version of a group."""
    return Refill(
        group, deps.journal, settings.redis_url, partial(set_up_logs, "warning", "replay")
    )
