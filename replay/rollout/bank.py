"""What do the commands of a roll-out reach?"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from domain.rollout.lifecycle import Versions
from domain.tiering.policy import TierPolicy
from projections.redis import RedisStore
from projections.registry import Present, present
from replay.rollout.steps import Steps
from streams.folds.active_groups import Register, decided
from streams.journal import Journal
from streams.publish.confirmed_producer import ConfirmedProducer
from streams.queries.lookups import Lookups

Progress = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
"""Shows how far a step is, under a word and of how many in all.

Gives the function that is told of more.
"""


@dataclass(frozen=True)
class RolloutDependencies:
    """What these commands reach; `begun_with` is the policy that counts until one was adopted."""

    journal: Journal
    store: RedisStore
    producer: ConfirmedProducer
    begun_with: TierPolicy
    zone: ZoneInfo
    progress: Progress = lambda _word, _total: nullcontext(lambda _count: None)

    @cached_property
    def steps(self) -> Steps:
        """How steps are taken."""
        return Steps(self.journal, self.store, self.producer, self.begun_with, self.zone)

    @cached_property
    def lookups(self) -> Lookups:
        """What readers see of one customer."""
        register = Register(self.store, self.journal, self.begun_with)
        return Lookups(self.store, register, len(self.journal))

    def versions(self) -> Versions:
        """What was decided so far."""
        return decided(self.journal)

    def present(self) -> Present:
        """What runs."""
        return present(self.versions(), self.begun_with)
