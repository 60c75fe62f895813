"""How is somebody forgotten, or restricted, everywhere? Their key first, then all that was made of what it opened; with a certificate of each place."""

import asyncio
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from deploy.compose import broker_of, courier_of
from deploy.groups import register_of
from deploy.keys import BUNDLES, signer_of, with_another_master
from deploy.settings import Settings
from deploy.up import RECYCLE
from domain.privacy import REGISTER, RestrictionLifted, SubjectForgotten, SubjectRestricted
from domain.recorded import Proposed
from projections.redis import RedisStore
from replay.erasures import Erasures
from replay.forgetting import forget, found_wrong, models_of, wholes_of
from replay.notes import signed
from streams.cloudevents import write
from streams.journal import Journal
from streams.kafka import KafkaError
from streams.keyring import Keyring
from streams.routing import shard_of

HEARD = 2.5
"""Seconds after which every process has let go of a key that was destroyed, and folded what it had opened by it."""
PATIENCE = 60.0
SOURCE = "tierfold/privacy"
Done = type[SubjectForgotten] | type[SubjectRestricted] | type[RestrictionLifted]
WORDS: dict[Done, str] = {SubjectForgotten: "forgotten", SubjectRestricted: "restricted", RestrictionLifted: "lifted"}


@dataclass(frozen=True)
class Ordered:
    """What was ordered: of whom, by whom, why, and when."""

    subjects: Sequence[str]
    by: str
    reason: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


@dataclass
class Certificate:
    """What was done, place by place; `wrong` has states that are not what the journal now comes to, and must be empty."""

    done: str
    subjects: Sequence[str]
    by: str
    reason: str
    at: str
    places: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def text(self) -> str:
        """The certificate as it is signed, and read."""
        lines = ["tierfold-certificate@1", f"at {self.at}", f"by {self.by}", f"because {self.reason}"]
        lines += [f"{place}: {said}" for place, said in self.places.items()]
        lines += [f"wrong: {said}" for said in self.wrong]
        return "".join(f"{line}\n" for line in (*lines, *(f"{self.done} {subject}" for subject in self.subjects)))


async def forgotten(settings: Settings, journal: Journal, order: Ordered) -> Certificate:
    """Forget customers, for ever. Whoever is stopped in between begins again: what is destroyed already stays so."""
    keyring, subjects = _keyring(journal), order.subjects
    Erasures(settings.erasures_file).add(subjects, order.at, order.by, order.reason)
    touched = wholes_of(journal, subjects) | models_of(journal)
    places = {"journal": f"{sum(_events(journal, subjects)):,} events stay in their places, sealed by keys that are gone; every proof holds"}
    keyring.destroy(subjects)
    there, destroyed, _ = keyring.counts()
    places["keys"] = f"{len(subjects):,} destroyed; {there:,} are left, {destroyed:,} were destroyed so far"
    places["backups of the keys"] = with_another_master(settings, keyring)
    places["quarantine"] = "sealed by the same keys"
    return await _everywhere(settings, journal, order, touched, SubjectForgotten, places)


async def restricted(settings: Settings, journal: Journal, order: Ordered) -> Certificate:
    """Let nobody but auditors read what is known of customers, as long as the law asks that it is kept."""
    touched = wholes_of(journal, order.subjects) | models_of(journal)
    _keyring(journal).restrict(order.subjects)
    places = {"journal": "sealed, for auditors only; what comes for them is refused", "keys": "kept, for auditors only"}
    return await _everywhere(settings, journal, order, touched, SubjectRestricted, places)


async def lifted(settings: Settings, journal: Journal, order: Ordered) -> Certificate:
    """Let what is known of restricted customers be read and used as before."""
    _keyring(journal).lift(order.subjects)
    touched = wholes_of(journal, order.subjects) | models_of(journal)
    return await _everywhere(settings, journal, order, touched, RestrictionLifted, {"journal": "open again", "keys": "for every process"})


async def _everywhere(settings: Settings, journal: Journal, order: Ordered, touched: Collection[str], done: Done, places: dict[str, str]) -> Certificate:
    """All that was made of what the keys opened, made anew by what they open now."""
    store = RedisStore(settings.redis)
    certificate = Certificate(WORDS[done], order.subjects, order.by, order.reason, order.at.isoformat(), places)
    await asyncio.sleep(HEARD)
    present = await register_of(settings, store, journal).carried()
    states = await forget(store, journal, present, order.subjects, touched)
    await asyncio.sleep(HEARD)
    await forget(store, journal, present, order.subjects, touched)
    places["read models"] = f"{states:,} streams had states, which are folded again, {len(touched):,} models, households and groups with them"
    places["snapshots of the read models"] = await _snapshot(settings, store)
    places["facts for what-if"] = _without_facts(settings)
    places["record"] = await _journalled(settings, journal, order, done)
    places["messages that came in"] = _purged(settings, journal)
    certificate.wrong = [f"{finding.where} {finding.said}" for finding in await found_wrong(store, journal, present, [*order.subjects, *touched])]
    await store.close()
    return certificate


def certified(settings: Settings, certificate: Certificate) -> str:
    """The certificate, signed."""
    text = certificate.text()
    return signed(text, [signer_of(settings, BUNDLES).sign(text)])


def _keyring(journal: Journal) -> Keyring:
    assert journal.keyring is not None
    return journal.keyring


def _events(journal: Journal, subjects: Sequence[str]) -> Iterator[int]:
    for subject in subjects:
        shard = journal[shard_of(subject, len(journal))]
        version = 0
        while rows := shard.rows(subject, version):
            version += len(rows)
        yield version


async def _snapshot(settings: Settings, store: RedisStore) -> str:
    if settings.redis_keeps:
        return "as that Redis keeps them: let it write a new one, and let the old ones go"
    await store.snapshot()
    return "written anew"


def _without_facts(settings: Settings) -> str:
    shutil.rmtree(settings.facts, ignore_errors=True)
    return "removed; they are gathered anew when they are asked for"


async def _journalled(settings: Settings, journal: Journal, order: Ordered, done: Done) -> str:
    """That it was done, and on whose word, is an event itself."""
    name = f"{WORDS[done]}/{order.at.isoformat()}"
    said = [
        Proposed(SOURCE, f"{name}/{subject}", REGISTER, order.at, order.at.date(), done(subject=subject, by=order.by, reason=order.reason))
        for subject in order.subjects
    ]
    with courier_of(settings, journal) as courier:
        waiting = [asyncio.wrap_future(courier.submit(shard_of(REGISTER, len(journal)), write(event))) for event in said]
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
        except TimeoutError:
            return "NOT in the journal: no intake took it; give the command once more when there is one"
    return f"{len(said):,} events in {REGISTER}"


def _purged(settings: Settings, journal: Journal) -> str:
    if not settings.broker_keeps:
        (settings.data_dir / RECYCLE).touch()
        return "the broker keeps them in memory alone, and is started anew"
    broker = broker_of(settings)
    try:
        logs = broker.logs()
        broker.purge({number: journal[number].tracked(log) + 1 for number, log in logs.items()})
    except KafkaError as error:
        return f"NOT deleted ({type(error).__name__}): they go with the retention of `interactions`"
    return "deleted up to what is journalled"
