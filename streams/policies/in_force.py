"""Which catalogue, privacy policy and arrival policy hold just now?

By what was decided; what the bank begins with holds until it was adopted.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple, TypeVar

import structlog
from pydantic import ValidationError

from domain.access.privacy_policy import PrivacyPolicy, completed
from domain.bank.arrival_policy import ArrivalPolicy
from domain.event_types import event_fields
from domain.offers.catalogue import Catalogue
from domain.rollout.events import ARRIVALS, CATALOGUE, PRIVACY, STREAM, UNFOLDED
from domain.rollout.lifecycle import Versions, policy_in
from projections.registry import state_fields
from projections.rollout.versions import VERSIONS, name_of
from streams.broker.routing import shard_of
from streams.journal import Journal

log = structlog.get_logger()
LOOKED_AT_EVERY = 1.0
"""Seconds between two looks at what was decided."""
Unfolded = Catalogue | PrivacyPolicy | ArrivalPolicy
P = TypeVar("P", Catalogue, PrivacyPolicy, ArrivalPolicy)


class Unreadable(ValueError):
    """A policy is live that this release cannot read."""


class Begun(NamedTuple):
    """What the bank begins with, as its files say it."""

    catalogue: Catalogue
    privacy: PrivacyPolicy
    arrivals: ArrivalPolicy

    def by_group(self) -> dict[str, Unfolded]:
        """Each under the group whose versions are of its kind."""
        return {CATALOGUE: self.catalogue, PRIVACY: self.privacy, ARRIVALS: self.arrivals}


class InForce:
    """The policies that hold by the versions that were decided, asked anew each time."""

    def __init__(self, begun: Begun, versions: Callable[[], Versions]) -> None:
        self.begun = begun
        self._versions = versions
        self._read: dict[str, tuple[str, Unfolded]] = {}

    @property
    def catalogue(self) -> Catalogue:
        """What the bank may offer."""
        return self._of(CATALOGUE, self.begun.catalogue)

    @property
    def privacy(self) -> PrivacyPolicy:
        """How each field is shown, and kept how long."""
        return self._of(PRIVACY, self.begun.privacy)

    @property
    def arrivals(self) -> ArrivalPolicy:
        """What is believed when it arrives."""
        return self._of(ARRIVALS, self.begun.arrivals)

    def read(self) -> None:
        """Read all that is live; raises `Unreadable`."""
        _ = self.catalogue, self.privacy, self.arrivals

    def idle_files(self) -> list[str]:
        """The groups whose file says something else than what is live."""
        return [
            group
            for group, said in self.begun.by_group().items()
            if (live := self._versions().lineup(group).live)
            and not f"{live}/".startswith(f"{name_of(said)}/")
        ]

    def not_adopted(self) -> list[str]:
        """The groups of which nothing is live yet, so that their files rule."""
        return [group for group in UNFOLDED if not self._versions().lineup(group).live]

    def _of(self, group: str, begun: P) -> P:
        versions = self._versions()
        live = versions.lineup(group).live
        if not live:
            return begun
        name, said = self._read.get(group, ("", begun))
        if name != live:
            said = self._taken(versions, group, live)
            self._read[group] = live, said
        assert isinstance(said, type(begun))
        return said

    def _taken(self, versions: Versions, group: str, live: str) -> Unfolded:
        """A policy as it holds; the one before where this release cannot read it.

        Raises `Unreadable` where there is none before.
        """
        try:
            said = policy_in(versions, group, live)
        except ValidationError as error:
            if group not in self._read:
                raise Unreadable(
                    f"this release cannot read {live}, which is live: {error}"
                ) from error
            log.error("policy_unreadable", version=live, reason=str(error))  # noqa: TRY400 - its place in the policy says all
            return self._read[group][1]
        if isinstance(said, PrivacyPolicy):
            wherever = self.begun.privacy.wherever
            return completed(said, event_fields(), state_fields(), wherever)
        assert isinstance(said, Catalogue | ArrivalPolicy)
        return said


class Followed:
    """What was decided, by the journal alone; asked again once a second, by one thread."""

    def __init__(self, journal: Journal) -> None:
        self._lock = Lock()
        self._shard = journal[shard_of(STREAM, len(journal))]
        self._versions = VERSIONS.initial
        self._upto = 0
        self._looked = -LOOKED_AT_EVERY

    def __call__(self) -> Versions:
        """All that was decided until a moment ago."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOKED_AT_EVERY:
                while steps := self._shard.history(STREAM, self._upto):
                    for step in steps:
                        self._versions = VERSIONS.evolve(self._versions, step)
                    self._upto = steps[-1].version
                self._looked = time.monotonic()
            return self._versions
