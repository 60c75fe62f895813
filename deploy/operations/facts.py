"""How are the facts of the whole bank gathered, for what-if to read?"""

import shutil
from datetime import UTC, datetime

from deploy.active_groups import present_of
from deploy.settings import Settings
from deploy.terminal import UserError, progress
from deploy.wiring import existing_journal, has_journal, store_of
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.redis import RedisError
from replay.rebuild.in_memory import rebuild
from replay.rollout.bank import Progress
from replay.what_if.columns import Columns
from replay.what_if.snapshot import gathered, keep_columns


async def gather(
    settings: Settings, *, from_journal: bool = False, shown: Progress = progress
) -> Columns:
    """The facts of every customer, kept beside the journal for the next question.

    Raises `UserError` where there are none, or the read models do not answer.
    """
    changes = _changes(settings)
    columns = await (_from_journal if from_journal else _from_read_models)(settings, shown)
    if columns.rows == 0:
        raise UserError("no customer has a month that ended: there is nothing to try a rule on yet")
    keep_columns(columns, settings.facts, datetime.now(UTC))
    if _changes(settings) != changes:
        shutil.rmtree(settings.facts, ignore_errors=True)
        raise UserError("somebody was forgotten or restricted meanwhile: gather once more")
    return columns


def _changes(settings: Settings) -> int | None:
    """How often keys were changed; None where there is no bank."""
    keyring = existing_journal(settings).keyring if has_journal(settings) else None
    return keyring.changes() if keyring else None


async def _from_journal(settings: Settings, shown: Progress) -> Columns:
    with shown("events folded", None) as advance:
        store = rebuild((CUSTOMERS, CASES), existing_journal(settings), advance)
    return await gathered(store, CUSTOMERS, CASES, settings.shards)


async def _from_read_models(settings: Settings, shown: Progress) -> Columns:
    live, seen = store_of(settings), present_of(settings)
    try:
        with shown("customers read", None) as advance:
            return await gathered(
                live, seen.of(CUSTOMERS.name), seen.of(CASES.name), settings.shards, advance
            )
    except RedisError as error:
        raise UserError(
            f"the read models do not answer ({error}): start them, or ask --from-journal"
        ) from error
    finally:
        await live.close()
