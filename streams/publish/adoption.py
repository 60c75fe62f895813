"""How does the journal come to know what the bank begins with?

The first that says so wins. A file that changes later changes nothing: it is proposed by a person.
"""

import json
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog
from pydantic import ValidationError

from domain.envelope import Proposed
from domain.offers.catalogue import Catalogue
from domain.offers.events import CATALOGUES, CatalogueAdopted
from domain.rollout.events import CATALOGUE, SOURCE, STREAM, VersionAdopted
from domain.rollout.lifecycle import Policy, Versions
from projections.rollout.versions import name_of
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import EVENT_LIMIT, write
from streams.journal import Journal
from streams.policies.in_force import Begun, InForce
from streams.publish.confirmed_producer import ConfirmedProducer

log = structlog.get_logger()


class TooLarge(ValueError):
    """A policy is larger than an event may be."""


def adopt(
    begun: Begun, known: Versions, journal: Journal, producer: ConfirmedProducer, zone: ZoneInfo
) -> None:
    """Put into the journal what the bank begins with, of whatever nothing was said yet.

    A bank of an older release goes on with the catalogue that ruled last. Raises `TooLarge`.
    """
    # of the day: two banks that begin on one day are in one state; when it was recorded is known
    today = datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    for group, file in begun.by_group().items():
        if group not in known.groups:
            policy: Policy = (_ruled(journal) or file) if group == CATALOGUE else file
            said = VersionAdopted(group=group, version=name_of(policy), policy=policy.said)
            step = Proposed(SOURCE, uuid4().hex, STREAM, today, today.date(), said)
            producer.submit(shard_of(STREAM, len(journal)), fitting(step))


def _ruled(journal: Journal) -> Catalogue | None:
    """The catalogue that an older release adopted last, if this one can read it."""
    found, after = None, 0
    shard = journal[shard_of(CATALOGUES, len(journal))]
    while events := shard.history(CATALOGUES, after):
        found, after = events[-1].data, events[-1].version
    if not isinstance(found, CatalogueAdopted):
        return None
    try:
        return Catalogue.model_validate_json(json.dumps(found.catalogue))
    except ValidationError:
        return None


def fitting(step: Proposed) -> bytes:
    """A step as it is sent; raises `TooLarge` where its policy is."""
    raw = write(step)
    if len(raw) > EVENT_LIMIT:
        raise TooLarge(
            f"the policy takes {len(raw):,} bytes, and {EVENT_LIMIT:,} is the limit of an event: "
            "make it shorter"
        )
    return raw


def warn_of_idle_files(policies: InForce) -> None:
    """Tell in the log of each file that changes nothing."""
    for group in policies.idle_files():
        log.warning(
            "policy_file_without_effect",
            policy=policies.begun.by_group()[group].label,
            reason="another version is live: bring the file with `tierfold policy propose`",
        )
