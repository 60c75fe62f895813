"""What does forgetting reach with these settings?

The dependencies, and the places outside the journal and the read models.
"""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from deploy.active_groups import register_of
from deploy.embedded.supervisor import RECYCLE
from deploy.keys import BUNDLES, signer_of, with_another_master
from deploy.settings import Settings
from deploy.wiring import broker_of, existing_journal, keyring_of, producer_of, store_of
from domain.access.events import SubjectForgotten
from projections.redis import RedisStore
from replay.erasure.commands import Certificate, ErasureDependencies, Order
from replay.erasure.register import Erasures
from replay.evidence.signed_note import signed
from streams.broker.kafka import KafkaError
from streams.journal import Journal
from streams.web.jobs import remove_ended

PATIENCE = 90.0
"""Seconds in which a broker was started anew, or is said not to be."""


@asynccontextmanager
async def dependencies_of(
    settings: Settings, journal: Journal, job: str | None = None
) -> AsyncIterator[ErasureDependencies]:
    """What forgetting, restricting and lifting reach; a `job` that does it stays."""
    store = store_of(settings)
    try:
        yield ErasureDependencies(
            journal=journal,
            for_auditors=existing_journal(settings, restored=True, for_auditors=True),
            store=store,
            producer=partial(producer_of, settings, journal),
            register=Erasures(settings.erasures_file),
            zone=ZoneInfo(settings.timezone),
            present=register_of(settings, store, journal).carried,
            rotate_master=partial(with_another_master, settings),
            elsewhere={
                "snapshots of the read models": partial(_snapshot, settings, store),
                "facts for what-if": partial(_without_facts, settings),
                "results of jobs": partial(_without_jobs, settings, job),
                "messages that came in": partial(_purged, settings, journal),
            },
        )
    finally:
        await store.close()


async def reachable(settings: Settings, order: Order) -> None:
    """Raise, before anything is changed, if something that is needed does not answer, or the order
    cannot be recorded.
    """
    SubjectForgotten(subject=order.subjects[0], by=order.by, reason=order.reason)
    store = store_of(settings)
    await store.ping()
    await store.close()
    broker_of(settings).logs()


def is_down(settings: Settings) -> bool:
    """Whether nobody listens where the stack's own Redis should be; one that hangs is there."""
    at = urlsplit(settings.redis_url)
    try:
        socket.create_connection((at.hostname or "", at.port or 6379), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def destroyed_at_rest(settings: Settings, subjects: Sequence[str]) -> dict[str, str]:
    """Destroy keys that a backup brought back, and what was folded by them, before anything
    starts.
    """
    keyring = keyring_of(settings, restored=True)
    keyring.destroy(subjects)
    with_another_master(settings, keyring)
    for folder in (settings.redis_dir, settings.facts, settings.jobs_dir):
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "keys": "destroyed; another master key follows",
        "read models": "their snapshot is removed; they are folded anew",
        "next": "start the bank, and give `tierfold privacy replay` once more",
    }


def certified(settings: Settings, certificate: Certificate) -> str:
    """The certificate, signed."""
    text = certificate.text()
    return signed(text, [signer_of(settings, BUNDLES).sign(text)])


async def _snapshot(settings: Settings, store: RedisStore) -> str:
    if settings.redis_keeps:
        return "as that Redis keeps them: let it write a new one, and let the old ones go"
    await store.snapshot()
    return "written anew"


async def _without_facts(settings: Settings) -> str:
    if not settings.facts.exists():
        return f"none in {settings.facts.resolve()}; remove those that other machines gathered"
    shutil.rmtree(settings.facts)
    return (
        f"removed from {settings.facts.resolve()}; they are gathered anew when they are asked for"
    )


async def _without_jobs(settings: Settings, but: str | None) -> str:
    removed = remove_ended(settings.jobs_dir, but)
    run = f"; {removed.running} that run are NOT removed" if removed.running else ""
    folder = settings.jobs_dir.resolve()
    return f"{removed.jobs} removed from {folder}{run}; remove those that other machines keep"


def _recycled(asked: Path) -> str:
    """Ask for a broker that holds nothing, and wait until it answers: what comes next needs it."""
    asked.touch()
    deadline = time.monotonic() + PATIENCE
    while asked.exists():
        if time.monotonic() > deadline:
            return "NOT gone yet: the broker keeps them in memory alone, until it is started anew"
        time.sleep(0.1)
    return "the broker kept them in memory alone, and was started anew"


async def _purged(settings: Settings, journal: Journal) -> str:
    if not settings.broker_keeps:
        return await asyncio.to_thread(_recycled, settings.data_dir / RECYCLE)
    broker = broker_of(settings)
    try:
        logs = broker.logs()
        broker.purge({number: journal[number].tracked(log) + 1 for number, log in logs.items()})
    except KafkaError as error:
        return f"NOT deleted ({type(error).__name__}): they go with the retention of `interactions`"
    return "deleted up to what is journalled"
