"""How is somebody forgotten, or restricted, everywhere?

Their key first, then all that was made of what it opened; with a certificate of each place.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from domain.access.events import REGISTER, RestrictionLifted, SubjectForgotten, SubjectRestricted
from domain.envelope import Proposed
from projections.redis import RedisError, RedisStore
from projections.registry import Present
from replay.erasure.persons import ever_linked, named_by_others
from replay.erasure.refold import customer_groups_of, forget, found_wrong, models_of
from replay.erasure.register import Erasures
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.journal import Journal
from streams.keyring import Keyring
from streams.publish.confirmed_producer import ConfirmedProducer

HEARD = 2.5
"""Seconds after which every process has let go of a key that was destroyed, and folded what it had
opened by it.
"""
PATIENCE = 60.0
TOLD_EVERY = 5.0
LARGE = 1_000_000
SOURCE = "tierfold/privacy"
Done = type[SubjectForgotten] | type[SubjectRestricted] | type[RestrictionLifted]
WORDS: dict[Done, str] = {
    SubjectForgotten: "forgotten",
    SubjectRestricted: "restricted",
    RestrictionLifted: "lifted",
}


@dataclass(frozen=True)
class Order:
    """What was ordered: of whom, by whom, why, and when."""

    subjects: Sequence[str]
    by: str
    reason: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


@dataclass
class Certificate:
    """What was done, place by place.

    `wrong` has states that are not what the journal now comes to, and must be empty.
    """

    done: str
    subjects: Sequence[str]
    by: str
    reason: str
    at: str
    places: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    @property
    def undone(self) -> list[str]:
        """The places in which something could not be done."""
        return [place for place, said in self.places.items() if "NOT " in said]

    def not_done(self) -> list[str]:
        """What could not be done, or is wrong."""
        return [f"{place}: {self.places[place]}" for place in self.undone] + self.wrong

    def text(self) -> str:
        """The certificate as it is signed, and read."""
        lines = [
            "tierfold-certificate@1",
            f"at {self.at}",
            f"by {self.by}",
            f"because {self.reason}",
        ]
        lines += [f"{place}: {said}" for place, said in self.places.items()]
        lines += [f"wrong: {said}" for said in self.wrong]
        return "".join(
            f"{line}\n"
            for line in (*lines, *(f"{self.done} {subject}" for subject in self.subjects))
        )


@dataclass(frozen=True)
class ErasureDependencies:
    """What these commands reach.

    `for_auditors` opens what is restricted too. `rotate_master` lets another master key follow;
    `elsewhere` has, by place, what is done with copies outside the journal and the read models.
    Both say what they did, or NOT.
    """

    journal: Journal
    for_auditors: Journal
    store: RedisStore
    producer: Callable[[], ConfirmedProducer]
    register: Erasures
    zone: ZoneInfo
    present: Callable[[], Awaitable[Present]]
    rotate_master: Callable[[Keyring], str]
    elsewhere: Mapping[str, Callable[[], Awaitable[str]]]

    @property
    def keyring(self) -> Keyring:
        """The keys of the customers."""
        assert self.journal.keyring is not None
        return self.journal.keyring


async def erase(deps: ErasureDependencies, order: Order) -> Certificate:
    """Forget customers, for ever.

    Whoever is stopped in between begins again: what is destroyed already stays so, and the register
    knows the rest.
    """
    async with _amending(deps.store):
        return await _erased(deps, order)


async def _erased(deps: ErasureDependencies, order: Order) -> Certificate:
    keyring, subjects, register = deps.keyring, order.subjects, deps.register
    named = named_by_others(deps.for_auditors, subjects)
    register.add(_groups_of(deps, order), order.at, order.by, order.reason)
    touched = {
        whole
        for erased in register.all()
        if erased.subject in set(subjects)
        for whole in erased.wholes
    }
    places = {
        "journal": (
            f"{sum(_events(deps.journal, subjects)):,} events stay in their places, sealed by "
            "keys that are gone; every proof holds"
        )
    }
    wiped = keyring.destroy(subjects)
    there, destroyed, _ = keyring.counts()
    left = (
        ""
        if wiped
        else "; NOT wiped from the files of the database: run VACUUM FULL keys as its owner"
    )
    places["keys"] = (
        f"{len(subjects):,} destroyed; {there:,} are left, {destroyed:,} were destroyed so "
        f"far{left}"
    )
    places["backups of the keys"] = deps.rotate_master(keyring)
    places["quarantine"] = _quarantine(deps.journal)
    if named:
        places["numbers of others"] = (
            f"{'; '.join(named)}: they tell that they were once taken for one of these, and stay "
            "as long as those customers are known"
        )
    return await _everywhere(deps, order, touched, SubjectForgotten, places)


async def restrict(deps: ErasureDependencies, order: Order) -> Certificate:
    """Let nobody but auditors read what is known of customers, as long as the law asks that
    it is kept.
    """
    places = {
        "journal": "sealed, for auditors only; what comes for them goes on being recorded so",
        "keys": "kept, for auditors only",
    }
    async with _amending(deps.store):
        deps.keyring.restrict(order.subjects)
        return await _everywhere(deps, order, _all_groups(deps, order), SubjectRestricted, places)


async def lift(deps: ErasureDependencies, order: Order) -> Certificate:
    """Let what is known of restricted customers be read and used as before."""
    places = {"journal": "open again", "keys": "for every process"}
    async with _amending(deps.store):
        deps.keyring.lift(order.subjects)
        return await _everywhere(deps, order, _all_groups(deps, order), RestrictionLifted, places)


def _groups_of(deps: ErasureDependencies, order: Order) -> dict[str, set[str]]:
    """The households, company groups and managers of each, and those to which it reported for
    another number of the same person.

    Asked with auditors' keys, which open what is restricted already.
    """
    return {
        subject: {
            group
            for number in ever_linked(deps.for_auditors, subject)
            for group in customer_groups_of(deps.for_auditors, number)
        }
        for subject in order.subjects
    }


def _all_groups(deps: ErasureDependencies, order: Order) -> set[str]:
    return {group for groups in _groups_of(deps, order).values() for group in groups}


async def _everywhere(
    deps: ErasureDependencies,
    order: Order,
    wholes: Collection[str],
    done: Done,
    places: dict[str, str],
) -> Certificate:
    """All that was made of what the keys opened, made anew by what they open now.

    That it was done is written last.
    """
    journal, touched = deps.journal, {*wholes, *models_of(deps.journal)}
    certificate = Certificate(
        WORDS[done], order.subjects, order.by, order.reason, order.at.isoformat(), places
    )
    present = await deps.present()
    states = 0
    for _ in range(2):  # whoever began to fold what a key had opened has saved it by then
        await asyncio.sleep(HEARD)
        states = max(states, await forget(deps.store, journal, present, order.subjects, touched))
    places["read models"] = (
        f"{states:,} streams had states, which are folded again, {len(touched):,} models, "
        "households, groups and managers' books with them"
    )
    for place, clean in deps.elsewhere.items():
        places[place] = await clean()
    certificate.wrong = [
        f"{finding.where} {finding.said}"
        for finding in await found_wrong(deps.store, journal, present, [*order.subjects, *touched])
    ]
    places["record"] = await _journalled(deps, order, done)
    return certificate


@asynccontextmanager
async def _amending(store: RedisStore) -> AsyncIterator[None]:
    """Say again and again that states follow keys, so that nobody takes them for tampered with."""

    async def tell() -> None:
        while True:
            with suppress(RedisError):
                await store.amend_for_keys()
            await asyncio.sleep(TOLD_EVERY)

    telling = asyncio.create_task(tell())
    await asyncio.sleep(0)  # it has told once before a key is changed
    try:
        yield
    finally:
        telling.cancel()


def _events(journal: Journal, subjects: Sequence[str]) -> Iterator[int]:
    for subject in subjects:
        shard = journal[shard_of(subject, len(journal))]
        version = 0
        while rows := shard.rows(subject, version):
            version += len(rows)
        yield version


def _quarantine(journal: Journal) -> str:
    """What quarantine holds that names nobody it is about: that is not found by anybody's name."""
    unnamed = sum(
        entry.subject is None or entry.subject.startswith("quarantine:")
        for shard in journal
        for entry in shard.quarantined(limit=LARGE)
    )
    return (
        f"sealed by the same keys; {unnamed:,} entries name nobody, and stay"
        if unnamed
        else "sealed by the same keys"
    )


async def _journalled(deps: ErasureDependencies, order: Order, done: Done) -> str:
    """That it was done, and on whose word, is an event itself."""
    name, now = f"{WORDS[done]}/{order.at.isoformat()}", order.at.astimezone(deps.zone)
    events = [
        Proposed(
            SOURCE,
            f"{name}/{subject}",
            REGISTER,
            now,
            now.date(),
            done(subject=subject, by=order.by, reason=order.reason),
        )
        for subject in order.subjects
    ]
    with deps.producer() as producer:
        waiting = [
            asyncio.wrap_future(
                producer.submit(shard_of(REGISTER, len(deps.journal)), write(event))
            )
            for event in events
        ]
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
        except TimeoutError:
            return (
                "NOT in the journal: no intake took it; run `tierfold privacy replay` when there "
                "is one"
            )
    return f"{len(events):,} events in {REGISTER}"
