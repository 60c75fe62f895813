"""What the lookups know of the models is not older than it seems."""

import pytest

from domain.tiering.policy import TierPolicy
from projections.redis import RedisStore
from streams.folds.active_groups import Register
from streams.journal import Journal
from streams.queries.lookups import Lookups
from tests.conftest import free_port


@pytest.mark.parametrize("there", [True, False])
async def test_models_of_late_are_not_told_where_redis_does_not_answer(
    sqlite_journal: Journal, redis_url: str, bohai: TierPolicy, there: bool
) -> None:
    """None is said to have learnt nothing because nobody could look."""
    store = RedisStore(redis_url if there else f"redis://127.0.0.1:{free_port()}/0")
    lookups = Lookups(store, Register(store, sqlite_journal, bohai), 1)
    if there:
        await store.clear()
        found = await lookups.models_of_late(["a"])
        assert found["a"].ready is not None
    else:
        with pytest.raises(TimeoutError):
            await lookups.models_of_late(["a"])
    await store.close()
