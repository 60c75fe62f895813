"""Which catalogue, privacy policy and arrival policy hold just now?

By what was decided; what the bank begins with holds until it was adopted.
"""

import json
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from domain.access.privacy_policy import PrivacyPolicy, completed
from domain.bank.arrival_policy import ArrivalPolicy
from domain.event_types import event_fields
from domain.offers.catalogue import Catalogue
from domain.rollout.events import ARRIVALS, CATALOGUE, PRIVACY, STREAM
from domain.rollout.lifecycle import Versions
from projections.registry import state_fields
from projections.rollout.versions import VERSIONS
from streams.broker.routing import shard_of
from streams.journal import Journal

LOOKED_AT_EVERY = 1.0
"""Seconds between two looks at what was decided."""
Unfolded = Catalogue | PrivacyPolicy | ArrivalPolicy
P = TypeVar("P", Catalogue, PrivacyPolicy, ArrivalPolicy)


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

    def idle_files(self) -> list[str]:
        """The groups whose file says something else than what holds."""
        holds = Begun(self.catalogue, self.privacy, self.arrivals).by_group()
        return [group for group, said in self.begun.by_group().items() if holds[group] != said]

    def _of(self, group: str, begun: P) -> P:
        lineup = self._versions().lineup(group)
        if not lineup.live:
            return begun
        name, said = self._read.get(group, ("", begun))
        if name != lineup.live:
            said = type(begun).model_validate_json(json.dumps(lineup.known[lineup.live].policy))
            if isinstance(said, PrivacyPolicy):
                said = completed(said, event_fields(), state_fields())
            self._read[group] = lineup.live, said
        assert isinstance(said, type(begun))
        return said


class Followed:
    """What was decided, by the journal alone; asked again once a second."""

    def __init__(self, journal: Journal) -> None:
        self._shard = journal[shard_of(STREAM, len(journal))]
        self._versions = VERSIONS.initial
        self._upto = 0
        self._looked = -LOOKED_AT_EVERY

    def __call__(self) -> Versions:
        """All that was decided until a moment ago."""
        if time.monotonic() - self._looked >= LOOKED_AT_EVERY:
            while steps := self._shard.history(STREAM, self._upto):
                for step in steps:
                    self._versions = VERSIONS.evolve(self._versions, step)
                self._upto = steps[-1].version
            self._looked = time.monotonic()
        return self._versions
