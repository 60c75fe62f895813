"""What every read-model store promises; memory and Redis alike."""

import asyncio
from datetime import date, timedelta

import redis

from projections.redis import RedisStore
from projections.store import NEVER, GroupShard, Store, StoredState

PLACE = GroupShard(3, "customers@1")
NAME = ("profile@1", "customer:1")


async def test_a_new_shard_has_read_nothing(store: Store) -> None:
    """The beginning is position 0."""
    assert await store.upto(PLACE) == 0
    assert await store.load(PLACE, [NAME]) == [None]


async def test_what_is_saved_is_loaded(store: Store) -> None:
    """States and position are there together."""
    assert await store.save(
        PLACE, await store.reached(PLACE), 7, {NAME: StoredState(7, b'{"a": 1}')}
    )

    assert await store.upto(PLACE) == 7
    assert await store.load(PLACE, [("ledger@1", "customer:1"), NAME]) == [
        None,
        StoredState(7, b'{"a": 1}'),
    ]


async def test_who_does_not_know_the_position_saves_nothing(store: Store) -> None:
    """A writer that slept while another went on cannot put old states back."""
    slept = await store.reached(PLACE)
    await store.save(PLACE, slept, 7, {NAME: StoredState(7, b"new")})

    assert not await store.save(PLACE, slept, 5, {NAME: StoredState(5, b"old")})
    assert await store.load(PLACE, [NAME]) == [StoredState(7, b"new")]
    assert await store.upto(PLACE) == 7


async def test_who_knows_the_position_and_not_the_tag_saves_nothing(store: Store) -> None:
    """A store that was lost begins at 0, as one that has not begun.

    Only its tag tells the two apart.
    """
    begun = await store.reached(PLACE)

    assert begun == await store.reached(PLACE)
    assert not await store.save(
        PLACE, begun._replace(etag="another"), 7, {NAME: StoredState(7, b"old")}
    )
    assert not await store.amend(
        PLACE, begun._replace(etag="another"), {NAME: StoredState(7, b"old")}
    )
    assert await store.load_at(PLACE, begun._replace(etag="another"), [NAME]) is None
    assert await store.load_at(PLACE, begun, [NAME]) == [None]
    assert await store.load(PLACE, [NAME]) == [None]


async def test_a_redis_that_was_emptied_begins_with_another_tag(redis_url: str) -> None:
    """Whoever read nothing before, and means to save what they folded, has to look again."""
    store = RedisStore(redis_url)
    before = await store.reached(PLACE)
    await store.clear()

    assert not await store.save(PLACE, before, 7, {NAME: StoredState(7, b"old")})
    after = await store.reached(PLACE)
    assert (before.upto, after.upto) == (0, 0)
    assert before.etag != after.etag
    await store.close()


async def test_two_who_save_at_one_position_do_not_mix(store: Store) -> None:
    """One event for everyone is saved in several steps.

    Whoever comes between them has to look again.
    """
    begun = await store.reached(PLACE)
    first = await store.save(PLACE, begun, 0, {NAME: StoredState(9, b"one")})

    assert await store.save(PLACE, begun, 0, {NAME: StoredState(7, b"other")}) is None
    assert first == await store.reached(PLACE)
    assert first is not None
    assert await store.save(PLACE, first, 9, {})
    assert await store.load(PLACE, [NAME]) == [StoredState(9, b"one")]


async def test_states_are_amended_and_whoever_folds_looks_again(store: Store) -> None:
    """Of one stream nothing is left, of another a part.

    The position stays, and who knew it saves nothing.
    """
    one, other, parts = "customer:1", "customer:2", ("profile@1", "ledger@1")
    known = await store.save(
        PLACE,
        await store.reached(PLACE),
        7,
        {(part, stream): StoredState(7, b"was") for stream in (one, other) for part in parts},
    )
    assert known is not None
    amended = {
        (parts[0], one): None,
        (parts[1], one): None,
        (parts[0], other): StoredState(6, b"is"),
        (parts[1], other): None,
    }

    assert await store.amend(PLACE, known, amended)
    assert await store.load(PLACE, list(amended)) == [None, None, StoredState(6, b"is"), None]
    assert {stream async for some in store.streams(PLACE) for stream in some} == {other}
    assert await store.upto(PLACE) == 7
    assert await store.save(PLACE, known, 8, {}) is None


async def test_a_group_that_is_forgotten_begins_anew(redis_url: str) -> None:
    """No state, no stream and no position is left, and whoever knew one saves nothing."""
    store, names = (
        RedisStore(redis_url),
        [
            (part, f"customer:{number}")
            for number in range(1_200)
            for part in ("profile@1", "ledger@1")
        ],
    )
    await store.clear()
    known = await store.save(
        PLACE, await store.reached(PLACE), 7, dict.fromkeys(names, StoredState(7, b"x"))
    )
    assert known is not None
    await store.forget(PLACE, ["profile@1", "ledger@1"])

    assert await store.save(PLACE, known, 8, {}) is None
    assert await store.load(PLACE, names) == [None] * len(names)
    assert (await store.upto(PLACE), await store.count(PLACE)) == (0, 0)
    await store.close()


async def test_a_position_may_stay_where_it_is(store: Store) -> None:
    """One event for everyone is saved in several steps."""
    assert await store.save(PLACE, await store.reached(PLACE), 0, {NAME: StoredState(9, b"x")})
    assert await store.upto(PLACE) == 0


async def test_shards_and_groups_do_not_touch(store: Store) -> None:
    """Each has its own position."""
    await store.save(PLACE, await store.reached(PLACE), 7, {NAME: StoredState(7, b"x")})

    assert await store.upto(GroupShard(2, "customers@1")) == 0
    assert await store.upto(GroupShard(3, "models@4")) == 0


async def test_every_stream_is_listed(store: Store) -> None:
    """Nobody is forgotten at the end of a month."""
    wanted = {f"customer:{number}" for number in range(2500)}
    await store.save(
        PLACE,
        await store.reached(PLACE),
        1,
        {("profile@1", stream): StoredState(1, b"{}") for stream in wanted},
    )

    assert {stream async for some in store.streams(PLACE) for stream in some} == wanted


DAY = date(2026, 3, 31)


def kept(due: int, state: bytes = b"x") -> StoredState:
    """A state in which something is due on a day, by its ordinal."""
    return StoredState(7, state, due)


async def test_streams_are_found_by_the_day_on_which_something_is_due(store: Store) -> None:
    """On the day and before it; what is no longer due, amended or gone is not found."""
    names = {stream: ("offers@4", stream) for stream in ("early", "then", "late", "never")}
    ordinals = (DAY.toordinal() - 9, DAY.toordinal(), DAY.toordinal() + 1, NEVER)
    states = {names[stream]: kept(due) for stream, due in zip(names, ordinals, strict=True)}
    first = await store.save(PLACE, await store.reached(PLACE), 7, states)
    assert first is not None
    await store.set_indexed(PLACE, 7)
    found = [sorted(await store.due(PLACE, day) or ()) for day in (DAY, DAY + timedelta(1))]

    assert found == [["early", "then"], ["early", "late", "then"]]
    second = await store.save(PLACE, first, 8, {names["early"]: kept(NEVER)})
    assert second is not None
    assert await store.due(PLACE, DAY) == ["then"]
    changed = {names["then"]: None, names["early"]: kept(DAY.toordinal())}
    assert await store.amend(PLACE, second, changed)
    assert await store.due(PLACE, DAY) == ["early"]


async def test_several_groups_of_a_shard_are_saved_at_once_each_by_its_own_tag(
    redis_url: str,
) -> None:
    """One of three has been moved meanwhile: the others are saved, and it is not."""
    store = RedisStore(redis_url)
    await store.clear()
    places = [GroupShard(3, name) for name in ("a@1", "b@1", "c@1")]
    known = [await store.reached(place) for place in places]
    await store.save(places[1], known[1], 5, {})
    saved = await asyncio.gather(
        *(
            store.save(place, progress, 7, {NAME: StoredState(7, place.group.encode())})
            for place, progress in zip(places, known, strict=True)
        )
    )

    assert [progress is not None for progress in saved] == [True, False, True]
    assert [await store.upto(place) for place in places] == [7, 5, 7]
    assert [await store.load(place, [NAME]) for place in places] == [
        [StoredState(7, b"a@1")],
        [None],
        [StoredState(7, b"c@1")],
    ]
    await store.close()


async def test_an_index_that_somebody_has_not_kept_is_not_believed(redis_url: str) -> None:
    """A worker of an earlier release moves the position alone; and an index may be lost."""
    store, client = RedisStore(redis_url), redis.Redis.from_url(redis_url, protocol=2)
    await store.clear()
    await store.save(PLACE, await store.reached(PLACE), 7, {NAME: kept(DAY.toordinal())})
    never = await store.is_indexed(PLACE), await store.due(PLACE, DAY)
    await store.set_indexed(PLACE, 7)
    moved = await store.save(PLACE, await store.reached(PLACE), 8, {})
    whole = moved is not None, await store.is_indexed(PLACE), await store.due(PLACE, DAY)
    [key] = client.keys("*:upto")
    client.set(key, 9)
    client.close()

    assert never == (False, None)
    assert whole == (True, True, ["customer:1"])
    assert not await store.is_indexed(PLACE)
    await store.close()
