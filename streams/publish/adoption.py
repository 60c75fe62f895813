"""How does the journal come to know what the bank begins with?

The first that says so wins. A file that changes later changes nothing: it is proposed by a person.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from domain.envelope import Proposed
from domain.rollout.events import SOURCE, STREAM, VersionAdopted
from domain.rollout.lifecycle import Versions
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

    Raises `TooLarge`.
    """
    now = datetime.now(zone)
    for group, policy in begun.by_group().items():
        if group not in known.groups:
            said = VersionAdopted(group=group, version=name_of(policy), policy=policy.said)
            event = Proposed(SOURCE, f"adopted/{name_of(policy)}", STREAM, now, now.date(), said)
            producer.submit(shard_of(STREAM, len(journal)), fitting(event))


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
