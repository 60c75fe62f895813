"""Whose number is it, when something is done to a number by law?

A person's, with all their numbers. What is done to one is done to all of them, and what others say
of it is told.
"""

from collections.abc import Collection, Iterable

from domain.customers.identity import Identity, linked, numbers_of
from domain.event_types import type_keys
from projections.customers.identity import HEARD, IDENTITY
from replay.history.as_of import history
from streams.broker.routing import shard_of
from streams.journal import Journal

EVENT_TYPES = sorted(type_keys(*HEARD))


def identity_of(journal: Journal, stream: str) -> Identity:
    """What a number knows of others, as far as the keys of this journal tell."""
    identity = IDENTITY.initial
    for event in history(journal[shard_of(stream, len(journal))], stream, event_types=EVENT_TYPES):
        identity = IDENTITY.evolve(identity, event)
    return identity


def all_numbers(journal: Journal, subjects: Iterable[str]) -> list[str]:
    """These numbers, and behind each the others of the same person."""
    found: dict[str, None] = {}
    for subject in subjects:
        found[subject] = None
        found.update(dict.fromkeys(numbers_of(identity_of(journal, subject), subject)))
    return list(found)


def is_known(journal: Journal, number: str) -> bool:
    """Whether anything is known of a number but that it was linked, and it was not forgotten."""
    keyring, shard = journal.keyring, journal[shard_of(number, len(journal))]
    if keyring is not None and keyring.destroyed([number]):
        return False
    return any(row.event_type not in EVENT_TYPES for row in shard.rows(number))


def ever_linked(journal: Journal, subject: str) -> set[str]:
    """A number, and all that it was ever linked with, one person's or not."""
    return {subject} | linked(identity_of(journal, subject))


def named_by_others(journal: Journal, subjects: Collection[str]) -> list[str]:
    """Where other people's numbers, once linked with one of these, still name it: events that stay
    as long as those are known.
    """
    others = {each for subject in subjects for each in ever_linked(journal, subject)}
    found = []
    for other in sorted(others - {*subjects}):
        shard = journal[shard_of(other, len(journal))]
        versions = [
            str(event.version)
            for event in history(shard, other, event_types=EVENT_TYPES)
            if any(f'"{subject}"' in event.data.model_dump_json() for subject in subjects)
        ]
        if versions:
            found.append(f"{other} event {', '.join(versions)}")
    return found
