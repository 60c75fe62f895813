"""Which groups run just now?

Asked of the read models, whose pointer moves in one step; of the journal where they are empty.
"""

import time

from domain.rollout.events import STREAM
from domain.rollout.lifecycle import Versions
from domain.tiering.policy import TierPolicy
from projections.registry import Present, present
from projections.rollout.versions import LIVE, STEPS, VERSIONS
from projections.store import GroupShard, Store, StoredState
from streams.broker.routing import shard_of
from streams.journal import Journal

ASKED_EVERY = 1.0
"""Seconds between two looks at the journal while the read models know nothing."""


class Register:
    """What is carried and what is live.

    `begun_with` is the tier policy for as long as nothing was decided of any.
    """

    def __init__(self, store: Store, journal: Journal, begun_with: TierPolicy) -> None:
        self._store = store
        self._journal = journal
        self._begun_with = begun_with
        self._place = GroupShard(shard_of(STREAM, len(journal)), STEPS.name)
        self.pointer = (self._place, LIVE.key, STREAM)
        self._pointer: bytes | None = None
        self._state: bytes | None = None
        self._asked = -ASKED_EVERY
        self._versions = Versions()
        self.last = present(self._versions, begun_with)

    def begin(self) -> None:
        """See what was decided, by the journal, before anybody asks."""
        self._from_journal()

    async def live(self) -> Present:
        """What readers see."""
        [pointer] = await self._store.read([self.pointer])
        return await self.pointed(pointer)

    async def pointed(self, pointer: StoredState | None) -> Present:
        """What readers see, by the state of the pointer.

        Nothing more is read as long as it has not moved.
        """
        if pointer is None:
            return self._from_journal()
        if pointer.state != self._pointer:
            await self.carried()
            self._pointer = pointer.state
        return self.last

    async def carried(self) -> Present:
        """All that is carried."""
        [state] = await self._store.load(self._place, [(VERSIONS.key, STREAM)])
        if state is None:
            return self._from_journal()
        if state.state != self._state:
            self._state = state.state
            self._set(VERSIONS.decode(state.state))
        return self.last

    def _from_journal(self) -> Present:
        if time.monotonic() - self._asked > ASKED_EVERY:
            self._state = self._pointer = None
            self._set(decided(self._journal))
            self._asked = time.monotonic()
        return self.last

    def _set(self, versions: Versions) -> None:
        """Keep what runs by what was decided, as long as that is the same."""
        if versions != self._versions:
            self._versions, self.last = versions, present(versions, self._begun_with)


def decided(journal: Journal, until: str | None = None) -> Versions:
    """What was decided, by the journal; if asked for, only what was before the step of this id."""
    state, version = VERSIONS.initial, 0
    shard = journal[shard_of(STREAM, len(journal))]
    while events := shard.history(STREAM, version):
        for event in events:
            if event.id == until:
                return state
            state = VERSIONS.evolve(state, event)
        version = events[-1].version
    return state
