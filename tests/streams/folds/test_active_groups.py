"""Which groups run: the pointer moves in one step, and never back through history."""

from collections.abc import Mapping
from pathlib import Path

from domain.customers.events import ChannelVisited
from domain.event import Interaction
from domain.rollout.events import (
    STREAM,
    VersionAdopted,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
)
from domain.tiering.policy import TierPolicy
from projections.rollout.versions import LIVE, STEPS, VERSIONS
from projections.store import GroupShard, MemoryStore, Progress, StoredState
from projections.tiering.standing import STANDINGS
from streams.folds.active_groups import Register, decided
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset
from tests.conftest import NOON, proposed


def recorded(journal: Journal, policy: TierPolicy) -> None:
    """A version that was adopted, and one that took its place, among other events of the shard."""
    said = policy.model_dump(mode="json")
    steps: list[Interaction] = [
        VersionAdopted(group=STANDINGS, version="v1", policy=said),
        VersionProposed(group=STANDINGS, version="v2", policy=said, by="li"),
        VersionApproved(group=STANDINGS, version="v2", report="ab" * 32, by="zhang"),
        VersionPromoted(group=STANDINGS, version="v2", by="zhang"),
    ]
    others = [proposed(ChannelVisited(channel="app"), f"visit-{number}") for number in range(20)]
    events = [
        each
        for number, step in enumerate(steps)
        for each in (*others[5 * number : 5 * number + 5], proposed(step, f"step-{number}", STREAM))
    ]
    journal[0].claim()
    journal[0].record(
        [Arrival(0, number, b"", event) for number, event in enumerate(events)],
        LogOffset("log", 0),
        NOON,
    )


class Watched(MemoryStore):
    """A store that remembers every pointer that readers could have seen."""

    def __init__(self) -> None:
        super().__init__()
        self.pointers: list[dict[str, str]] = []

    async def save(
        self,
        place: GroupShard,
        expected: Progress,
        upto: int,
        states: Mapping[tuple[str, str], StoredState],
    ) -> Progress | None:
        self.pointers += [
            LIVE.decode(kept.state).versions for (key, _), kept in states.items() if key == LIVE.key
        ]
        return await super().save(place, expected, upto, states)


async def test_after_a_loss_of_the_read_models_the_pointer_is_at_once_where_it_was(
    tmp_path: Path, bohai: TierPolicy
) -> None:
    """Before they are filled the journal answers.

    Then the state is there whole, however little is read at once.
    """
    journal, store = Journal(f"sqlite://{tmp_path}/journal", 1), Watched()
    recorded(journal, bohai)
    register = Register(store, journal, bohai)
    before = (await register.live()).of(STANDINGS).name
    await ShardFold(STEPS, 0, store, journal, at_once=7).catch_up()

    assert before == (await register.live()).of(STANDINGS).name == f"{STANDINGS}/v2"
    assert store.pointers == [{STANDINGS: "v2"}]


async def test_what_the_agents_fold_is_what_the_journal_says(
    tmp_path: Path, bohai: TierPolicy
) -> None:
    """The same steps, read by either."""
    journal, store = Journal(f"sqlite://{tmp_path}/journal", 1), MemoryStore()
    recorded(journal, bohai)
    await ShardFold(STEPS, 0, store, journal).catch_up()
    [kept] = await store.load(GroupShard(0, STEPS.name), [(VERSIONS.key, STREAM)])

    assert kept is not None
    assert VERSIONS.decode(kept.state) == decided(journal)
