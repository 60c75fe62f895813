"""What every read-model store promises; memory and Redis alike."""

from projections.store import Kept, Place, Store

PLACE = Place(3, "customers@1")
NAME = ("profile@1", "customer:1")


async def test_a_new_shard_has_read_nothing(store: Store) -> None:
    """The beginning is position 0."""
    assert await store.upto(PLACE) == 0
    assert await store.load(PLACE, [NAME]) == [None]


async def test_what_is_saved_is_loaded(store: Store) -> None:
    """States and position are there together."""
    assert await store.save(PLACE, 0, 7, {NAME: Kept(7, b'{"a": 1}')})

    assert await store.upto(PLACE) == 7
    assert await store.load(PLACE, [("ledger@1", "customer:1"), NAME]) == [None, Kept(7, b'{"a": 1}')]


async def test_who_does_not_know_the_position_saves_nothing(store: Store) -> None:
    """A writer that slept while another went on cannot put old states back."""
    await store.save(PLACE, 0, 7, {NAME: Kept(7, b"new")})

    assert not await store.save(PLACE, 0, 5, {NAME: Kept(5, b"old")})
    assert await store.load(PLACE, [NAME]) == [Kept(7, b"new")]
    assert await store.upto(PLACE) == 7


async def test_a_position_may_stay_where_it_is(store: Store) -> None:
    """One event for everyone is saved in several steps."""
    assert await store.save(PLACE, 0, 0, {NAME: Kept(9, b"x")})
    assert await store.upto(PLACE) == 0


async def test_shards_and_groups_do_not_touch(store: Store) -> None:
    """Each has its own position."""
    await store.save(PLACE, 0, 7, {NAME: Kept(7, b"x")})

    assert await store.upto(Place(2, "customers@1")) == 0
    assert await store.upto(Place(3, "models@2")) == 0


async def test_every_stream_is_listed(store: Store) -> None:
    """Nobody is forgotten at the end of a month."""
    wanted = {f"customer:{number}" for number in range(2500)}
    await store.save(PLACE, 0, 1, {("profile@1", stream): Kept(1, b"{}") for stream in wanted})

    assert {stream async for some in store.streams(PLACE) for stream in some} == wanted
