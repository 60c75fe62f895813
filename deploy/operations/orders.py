"""How is an order of a privacy officer's carried out? Restrict, lift, forget: the same by a command
and by a job.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from deploy.active_groups import policies_of
from deploy.keys import alone
from deploy.operations.erasure import certified, dependencies_of, reachable
from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import existing_journal
from domain.access.redaction import doubt_of_reason
from projections.redis import RedisError
from replay.erasure.commands import Certificate, ErasureDependencies, Order
from replay.erasure.persons import all_numbers
from replay.erasure.retention import due
from streams.broker.routing import shard_of

Command = Callable[[ErasureDependencies, Order], Coroutine[Any, Any, Certificate]]


STOPPED = (
    "it stopped half-way, for the read models do not answer: run `tierfold privacy replay` where "
    "it was to forget, else give the order once more"
)


class Done(NamedTuple):
    """What was done, and where the signed certificate is."""

    certificate: Certificate
    file: Path


def people(settings: Settings, customers: Sequence[str]) -> list[str]:
    """The streams of customers, with all numbers of each person.

    Raises `UserError` for somebody of whom nothing was ever recorded.
    """
    journal = existing_journal(settings)
    subjects = [f"customer:{name}" for name in dict.fromkeys(customers)]
    for subject in subjects:
        if not journal[shard_of(subject, len(journal))].rows(subject, limit=1):
            raise UserError(
                f"nothing was ever recorded of {subject}: a customer's number stands without "
                "`customer:` here"
            )
    return all_numbers(existing_journal(settings, restored=True, for_auditors=True), subjects)


def must_be_over(settings: Settings, subjects: Sequence[str]) -> None:
    """Raises `UserError` where the law may ask that something of these customers is kept."""
    journal = existing_journal(settings, for_auditors=True)
    policy = policies_of(settings, journal).privacy
    over = {left.stream for left in due(journal, policy.longest)}
    if kept := [subject for subject in subjects if subject not in over]:
        raise UserError(
            f"{len(kept)} of them, {kept[0]} first, have not left {policy.longest} years ago "
            f"({policy.label}): restrict them until then, or forget them early if nothing of "
            "them has to be kept"
        )


def carry_out(settings: Settings, command: Command, order: Order, job: str | None = None) -> Done:
    """Do what was ordered, one order at a time, and sign what was done.

    `job` is the job that does it, which stays. Raises `UserError` for what cannot be recorded, and
    where another order is being carried out, or this one stopped half-way.
    """
    if doubt := doubt_of_reason(order.reason):
        raise UserError(doubt)
    if not order.by.isprintable():
        raise UserError("who decided it stands on one line")
    journal = existing_journal(settings, restored=True)
    folder = settings.data_dir / "certificates"

    async def act() -> Certificate:
        async with dependencies_of(settings, journal, job) as deps:
            return await command(deps, order)

    folder.mkdir(parents=True, exist_ok=True)
    assert journal.keyring is not None
    with alone(folder / ".lock"):
        asyncio.run(reachable(settings, order))
        journal.keyring.notify()  # whoever may not change keys fails here, before anything is
        try:
            certificate = asyncio.run(act())
        except RedisError as error:
            raise UserError(STOPPED) from error
    file = folder / f"{certificate.done}-{certificate.at.replace(':', '')}.txt"
    file.write_text(certified(settings, certificate), encoding="utf-8")
    return Done(certificate, file)
