"""How is somebody forgotten, or restricted, everywhere? Their key first, then all that was made of what it opened; with a certificate of each place."""

import asyncio
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from deploy.active_groups import register_of
from deploy.embedded.supervisor import RECYCLE
from deploy.keys import BUNDLES, signer_of, with_another_master
from deploy.settings import Settings
from deploy.wiring import broker_of, courier_of, existing_journal
from domain.access.events import REGISTER, RestrictionLifted, SubjectForgotten, SubjectRestricted
from domain.envelope import Proposed
from projections.redis import RedisStore
from replay.erasure.refold import forget, found_wrong, models_of, wholes_of
from replay.erasure.register import Erasures
from replay.evidence.signed_note import signed
from streams.broker.kafka import KafkaError
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.journal import Journal
from streams.keyring import Keyring

HEARD = 2.5
"""Seconds after which every process has let go of a key that was destroyed, and folded what it had opened by it."""
PATIENCE = 60.0
LARGE = 1_000_000
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

    def not_done(self) -> list[str]:
        """What could not be done, or is wrong."""
        return [f"{place}: {said}" for place, said in self.places.items() if "NOT " in said] + self.wrong

    def text(self) -> str:
        """The certificate as it is signed, and read."""
        lines = ["tierfold-certificate@1", f"at {self.at}", f"by {self.by}", f"because {self.reason}"]
        lines += [f"{place}: {said}" for place, said in self.places.items()]
        lines += [f"wrong: {said}" for said in self.wrong]
        return "".join(f"{line}\n" for line in (*lines, *(f"{self.done} {subject}" for subject in self.subjects)))


async def forgotten(settings: Settings, journal: Journal, order: Ordered) -> Certificate:
    """Forget customers, for ever. Whoever is stopped in between begins again: what is destroyed already stays so, and the register knows the rest."""
    keyring, subjects, register = _keyring(journal), order.subjects, Erasures(settings.erasures_file)
    register.add(_wholes(settings, order), order.at, order.by, order.reason)
    touched = {whole for erased in register.all() if erased.subject in set(subjects) for whole in erased.wholes}
    places = {"journal": f"{sum(_events(journal, subjects)):,} events stay in their places, sealed by keys that are gone; every proof holds"}
    wiped = keyring.destroy(subjects)
    there, destroyed, _ = keyring.counts()
    left = "" if wiped else "; NOT wiped from the files of the database: run VACUUM FULL keys as its owner"
    places["keys"] = f"{len(subjects):,} destroyed; {there:,} are left, {destroyed:,} were destroyed so far{left}"
    places["backups of the keys"] = with_another_master(settings, keyring)
    places["quarantine"] = _aside(journal)
    return await _everywhere(settings, journal, order, touched, SubjectForgotten, places)


async def restricted(settings: Settings, journal: Journal, order: Ordered) -> Certificate:
    """Let nobody but auditors read what is known of customers, as long as the law asks that it is kept."""
    _keyring(journal).restrict(order.subjects)
    places = {"journal": "sealed, for auditors only; what comes for them is refused", "keys": "kept, for auditors only"}
    return await _everywhere(settings, journal, order, _all_wholes(settings, order), SubjectRestricted, places)


async def lifted(settings: Settings, journal: Journal, order: Ordered) -> Certificate:
    """Let what is known of restricted customers be read and used as before."""
    _keyring(journal).lift(order.subjects)
    return await _everywhere(settings, journal, order, _all_wholes(settings, order), RestrictionLifted, {"journal": "open again", "keys": "for every process"})


def _wholes(settings: Settings, order: Ordered) -> dict[str, set[str]]:
    """The households and company groups of each; asked with auditors' keys, which open what is restricted already."""
    journal = existing_journal(settings, restored=True, for_auditors=True)
    return {subject: wholes_of(journal, subject) for subject in order.subjects}


def _all_wholes(settings: Settings, order: Ordered) -> set[str]:
    return {whole for wholes in _wholes(settings, order).values() for whole in wholes}


async def _everywhere(settings: Settings, journal: Journal, order: Ordered, wholes: Collection[str], done: Done, places: dict[str, str]) -> Certificate:
    """All that was made of what the keys opened, made anew by what they open now; that it was done is written last."""
    store, touched = RedisStore(settings.redis), {*wholes, *models_of(journal)}
    certificate = Certificate(WORDS[done], order.subjects, order.by, order.reason, order.at.isoformat(), places)
    present = await register_of(settings, store, journal).carried()
    states = 0
    for _ in range(2):  # whoever opened something by a key just before it went has folded it by then
        await asyncio.sleep(HEARD)
        states = max(states, await forget(store, journal, present, order.subjects, touched))
    places["read models"] = f"{states:,} streams had states, which are folded again, {len(touched):,} models, households and groups with them"
    places["snapshots of the read models"] = await _snapshot(settings, store)
    places["facts for what-if"] = _without_facts(settings)
    places["messages that came in"] = _purged(settings, journal)
    certificate.wrong = [f"{finding.where} {finding.said}" for finding in await found_wrong(store, journal, present, [*order.subjects, *touched])]
    places["record"] = await _journalled(settings, journal, order, done)
    await store.close()
    return certificate


async def reachable(settings: Settings, order: Ordered) -> None:
    """Raise, before anything is changed, if something that is needed does not answer, or the order cannot be recorded."""
    SubjectForgotten(subject=order.subjects[0], by=order.by, reason=order.reason)
    store = RedisStore(settings.redis)
    await store.ping()
    await store.close()
    broker_of(settings).logs()


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
    if not settings.facts.exists():
        return f"none in {settings.facts.resolve()}; remove those that other machines gathered"
    shutil.rmtree(settings.facts)
    return f"removed from {settings.facts.resolve()}; they are gathered anew when they are asked for"


def _aside(journal: Journal) -> str:
    """What quarantine holds that names nobody it is about: that is not found by anybody's name."""
    unnamed = sum(entry.subject is None or entry.subject.startswith("quarantine:") for shard in journal for entry in shard.quarantined(limit=LARGE))
    return f"sealed by the same keys; {unnamed:,} entries name nobody, and stay" if unnamed else "sealed by the same keys"


async def _journalled(settings: Settings, journal: Journal, order: Ordered, done: Done) -> str:
    """That it was done, and on whose word, is an event itself."""
    name, now = f"{WORDS[done]}/{order.at.isoformat()}", order.at.astimezone(ZoneInfo(settings.timezone))
    said = [
        Proposed(SOURCE, f"{name}/{subject}", REGISTER, now, now.date(), done(subject=subject, by=order.by, reason=order.reason)) for subject in order.subjects
    ]
    with courier_of(settings, journal) as courier:
        waiting = [asyncio.wrap_future(courier.submit(shard_of(REGISTER, len(journal)), write(event))) for event in said]
        try:
            await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
        except TimeoutError:
            return "NOT in the journal: no intake took it; run `tierfold privacy replay` when there is one"
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
