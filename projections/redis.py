"""Where are folded states kept, live?

In Redis: the only door to it.

A state is one string, its `upto` in digits, a space, then JSON. All keys of a shard carry its
number as hash tag, so that one script may touch them in a cluster too.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import date
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar, cast

from redis.asyncio import Connection, ConnectionPool, Redis
from redis.connection import HiredisRespSerializer
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, RedisError

from projections.store import NEVER, GroupShard, Progress, StoredState, new_etag

__all__ = ["RedisError", "RedisStore"]

ERASED_STREAMS = 500
INDEXED = "indexed"
"""What stands in the index of what is due once it is whole, at minus the position of its shard.

A worker of an earlier release moves the position, and not this.
"""
BEAT_LASTS = 15
"""Seconds after which a worker that says nothing counts as gone."""
AMENDED_FOR_KEYS = "tierfold:amended-for-keys"

SAVE = f"""
local saved, k, a = {{}}, 0, 0
while k < #KEYS do
  local states, streams, due = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 7])
  local is_at = (redis.call('GET', KEYS[k + 1]) or '0') == ARGV[a + 3] and redis.call('GET', KEYS[k + 2]) == ARGV[a + 4]
  if is_at then
    redis.call('SET', KEYS[k + 1], ARGV[a + 5])
    redis.call('SET', KEYS[k + 2], ARGV[a + 6])
    redis.call('SET', KEYS[k + 4], 1, 'EX', {BEAT_LASTS})
    for i = 1, states do redis.call('SET', KEYS[k + 5 + i], ARGV[a + 7 + i]) end
    for i = 1, streams do redis.call('SADD', KEYS[k + 3], ARGV[a + 7 + states + i]) end
    if tonumber(redis.call('ZSCORE', KEYS[k + 5], 'indexed') or 1) == -tonumber(ARGV[a + 3]) then
      redis.call('ZADD', KEYS[k + 5], -tonumber(ARGV[a + 5]), 'indexed')
    end
    for i = a + 8 + states + streams, a + 6 + states + streams + 2 * due, 2 do
      if ARGV[i + 1] == '0' then
        redis.call('ZREM', KEYS[k + 5], ARGV[i])
      else
        redis.call('ZADD', KEYS[k + 5], ARGV[i + 1], ARGV[i])
      end
    end
  end
  saved[#saved + 1] = is_at and 1 or 0
  k, a = k + 5 + states, a + 7 + states + streams + 2 * due
end
return saved
"""  # noqa: E501
"""Save states of several groups of one shard, each unless somebody else has moved it."""
AMEND = """
if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] or redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
for i = 5, #KEYS do redis.call('SREM', KEYS[3], ARGV[4 * i - 14]) end
for i = 5, #KEYS do
  local state, stream, name, due = unpack(ARGV, 4 * i - 15, 4 * i - 12)
  if state == '' then
    redis.call('DEL', KEYS[i])
  else
    redis.call('SET', KEYS[i], state)
    redis.call('SADD', KEYS[3], stream)
  end
  if tonumber(due) > 0 then redis.call('ZADD', KEYS[4], due, name) else redis.call('ZREM', KEYS[4], name) end
end
return 1
"""  # noqa: E501
"""Put states in the place of others, and let whoever folds the shard take its states up anew."""
FORGET = """
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
local gone = redis.call('SPOP', KEYS[5], ARGV[1])
for _, stream in ipairs(gone) do
  for i = 2, #ARGV do redis.call('DEL', ARGV[i] .. stream) end
end
return #gone
"""
"""Remove the states of some streams, and each time the position.

Whoever saved in between has to begin anew.
"""
RESERVE = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', redis.call('TIME')[1])
local known = cjson.decode(ARGV[4])
local held = redis.call('ZRANGE', KEYS[1], 0, -1)
for number, cap in ipairs(cjson.decode(ARGV[5])) do
  local room = cap.room
  for _, each in ipairs(held) do
    local channel, name = string.match(each, '^(%S+) (.*)$')
    if cap.channels[channel] and name ~= ARGV[1] and not known[name] then room = room - 1 end
  end
  if room <= 0 then return number end
end
redis.call('ZADD', KEYS[1], redis.call('TIME')[1] + ARGV[3], ARGV[2] .. ' ' .. ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3] + 1)
return 0
"""
"""Hold a place unless a cap is reached.

Places that others hold count, unless they are known to be counted already.
"""


class Room(NamedTuple):
    """How many more contacts a cap allows, and on which channels they count."""

    room: int
    channels: tuple[str, ...]


class _Connection(Connection):
    """A connection whose commands are put together by hiredis, as the library's other client has
    it: a save has thousands of words.
    """

    def pack_command(self, *args: Any) -> list[bytes]:
        """A command in Redis's protocol."""
        return cast("list[bytes]", HiredisRespSerializer().pack(*args))


class _OfFile(CredentialProvider):
    """The password in a file, read at each connection: the server may draw another at its start."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get_credentials(self) -> tuple[str]:
        """The password alone; raises `AuthenticationError`."""
        try:
            return (self._file.read_text(encoding="ascii"),)
        except OSError as error:
            raise AuthenticationError(f"no password of Redis: {error}") from None

    async def get_credentials_async(self) -> tuple[str]:
        """The same: a few bytes of a local file."""
        return self.get_credentials()


W = TypeVar("W")
G = TypeVar("G")


class Together(Generic[W, G]):
    """Does at once what is asked for at the same moment: one round trip for all of it."""

    def __init__(self, do: Callable[[Sequence[W]], Awaitable[Sequence[G]]]) -> None:
        self._do = do
        self._wanted: list[tuple[W, asyncio.Future[G]]] = []
        self._doing: set[asyncio.Task[None]] = set()

    async def __call__(self, wanted: W) -> G:
        """What comes of one of these; raises what went wrong with all of them."""
        loop = asyncio.get_running_loop()
        given: asyncio.Future[G] = loop.create_future()
        if not self._wanted:
            loop.call_soon(self._begin)
        self._wanted.append((wanted, given))
        return await given

    def _begin(self) -> None:
        wanted, self._wanted = self._wanted, []
        task = asyncio.get_running_loop().create_task(self._give(wanted))
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _give(self, wanted: Sequence[tuple[W, asyncio.Future[G]]]) -> None:
        try:
            given = await self._do([each for each, _ in wanted])
        except Exception as error:  # noqa: BLE001 - whoever asked gets to know
            for _, waiting in wanted:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), each in zip(wanted, given, strict=True):
            if not waiting.done():
                waiting.set_result(each)


class _Save(NamedTuple):
    """What one group of a shard saves: its keys and arguments of the script."""

    keys: list[str]
    args: list[Any]


class RedisStore:
    """Read models in Redis, at a URL such as `redis://127.0.0.1:6379/0`.

    The password is in the URL, or in a file.
    """

    def __init__(self, url: str, password: Path | None = None) -> None:
        pool = ConnectionPool.from_url(
            url,
            connection_class=_Connection,
            credential_provider=_OfFile(password) if password else None,
            protocol=2,
            socket_timeout=30,
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._save = self._redis.register_script(SAVE)
        self._amend = self._redis.register_script(AMEND)
        self._forget = self._redis.register_script(FORGET)
        self._reserve = self._redis.register_script(RESERVE)
        self._read = Together(self._read_all)
        self._saves = defaultdict[int, Together[_Save, bool]](lambda: Together(self._save_all))

    async def ping(self) -> None:
        """Raise `RedisError` if the server does not answer."""
        await cast("Any", self._redis.ping())

    async def close(self) -> None:
        """Let the connections go."""
        await self._redis.aclose()

    async def clear(self) -> None:
        """Forget everything; the agents then fold it again from the journal."""
        await self._redis.flushdb()

    async def upto(self, place: GroupShard) -> int:
        """How far a group has read a shard."""
        return int(await self._redis.get(_key(place, "upto")) or 0)

    async def reached(self, place: GroupShard) -> Progress:
        """How far a group has read a shard, and the tag of its last save, which is drawn if
        there is none.
        """
        keys = [_key(place, name) for name in ("upto", "etag")]
        while True:
            upto, etag = await self._values(keys)
            if etag is not None:
                return Progress(int(upto or 0), cast("bytes", etag).decode())
            await self._redis.set(keys[1], new_etag(), nx=True)

    async def uptos(self, places: Sequence[GroupShard]) -> list[int]:
        """How far several groups have read their shards."""
        found = await self._redis.mget([_key(place, "upto") for place in places])
        return [int(upto or 0) for upto in found]

    async def beat(self, places: Iterable[GroupShard]) -> None:
        """Say that a worker folds these shards just now."""
        beats = self._redis.pipeline(transaction=False)
        for place in places:
            beats.set(_key(place, "beat"), 1, ex=BEAT_LASTS)
        await beats.execute()

    async def alive(self, places: Sequence[GroupShard]) -> list[bool]:
        """Which of these shards a worker has folded within the last seconds."""
        found = await self._redis.mget([_key(place, "beat") for place in places])
        return [beat is not None for beat in found]

    async def amend_for_keys(self) -> None:
        """Say that states follow keys that were changed just now; it lasts as long as a beat."""
        await self._redis.set(AMENDED_FOR_KEYS, 1, ex=BEAT_LASTS)

    async def is_amended_for_keys(self) -> bool:
        """Whether states follow keys just now: what is found of them may be half of it."""
        return await self._redis.get(AMENDED_FOR_KEYS) is not None

    async def load(
        self, place: GroupShard, wanted: Sequence[tuple[str, str]]
    ) -> list[StoredState | None]:
        """The states under `(key, stream)`."""
        return await self.read([(place, *name) for name in wanted])

    async def load_at(
        self, place: GroupShard, expected: Progress, wanted: Sequence[tuple[str, str]]
    ) -> list[StoredState | None] | None:
        """The same, all at one moment, or None if the shard is not at `expected` then."""
        names = [_key(place, name) for name in ("upto", "etag")]
        upto, etag, *found = await self._values(
            [*names, *(_prefix(place, key) + stream for key, stream in wanted)]
        )
        return (
            [_stored(value) for value in found]
            if (upto or b"0", etag) == (b"%d" % expected.upto, expected.etag.encode())
            else None
        )

    async def read(self, wanted: Sequence[tuple[GroupShard, str, str]]) -> list[StoredState | None]:
        """States of several places; what many ask for at the same moment is read at once."""
        return [
            _stored(value)
            for value in await self._values(
                [_prefix(place, key) + stream for place, key, stream in wanted]
            )
        ]

    async def _values(self, keys: list[str]) -> list[Any]:
        return await self._read(keys) if keys else []

    async def _read_all(self, wanted: Sequence[list[str]]) -> list[list[Any]]:
        values = iter(await self._redis.mget([key for keys in wanted for key in keys]))
        return [list(islice(values, len(keys))) for keys in wanted]

    async def _save_all(self, wanted: Sequence[_Save]) -> list[bool]:
        keys = [key for each in wanted for key in each.keys]
        args = [arg for each in wanted for arg in each.args]
        return list(map(bool, await self._save(keys=keys, args=args)))

    async def save(
        self,
        place: GroupShard,
        expected: Progress,
        upto: int,
        states: Mapping[tuple[str, str], StoredState],
    ) -> Progress | None:
        """Save states and move the shard, all or nothing."""
        keys = [_key(place, name) for name in ("upto", "etag", "streams", "beat", "due")]
        keys += [_prefix(place, key) + stream for key, stream in states]
        values = [b"%d %b" % kept[:2] for kept in states.values()]
        members = sorted({stream for _, stream in states})
        due = [
            said
            for (key, stream), kept in states.items()
            if kept.due is not None
            for said in (f"{key} {stream}", kept.due)
        ]
        moved = Progress(upto, new_etag())
        head = (len(values), len(members), *expected, *moved, len(due) // 2)
        args = [*head, *values, *members, *due]
        return moved if await self._saves[place.shard](_Save(keys, args)) else None

    async def amend(
        self,
        place: GroupShard,
        expected: Progress,
        states: Mapping[tuple[str, str], StoredState | None],
    ) -> bool:
        """Put states in the place of others, all or nothing."""
        keys = [
            *(_key(place, name) for name in ("upto", "etag", "streams", "due")),
            *(_key(place, key, stream) for key, stream in states),
        ]
        said = [
            part
            for (key, stream), kept in states.items()
            for part in (
                b"%d %b" % kept[:2] if kept else b"",
                stream,
                f"{key} {stream}",
                (kept.due or NEVER) if kept else NEVER,
            )
        ]
        if not await self._amend(keys=keys, args=[*expected, expected.upto, new_etag(), *said]):
            return False
        if gone := {stream for _, stream in states} - {
            stream for (_, stream), kept in states.items() if kept
        }:
            await self._redis.delete(*(_places(place, stream) for stream in gone))
        return True

    async def snapshot(self) -> None:
        """Write what is there to where it is kept, over what was there before."""
        await self._redis.save()

    async def reserve(
        self,
        place: GroupShard,
        stream: str,
        name: str,
        channel: str,
        seconds: int,
        known: Collection[str],
        caps: Sequence[Room],
    ) -> int | None:
        """Hold a place for a contact, so that two who ask at once never exceed a cap.

        None, or the number of the cap that is reached.

        `known` names the contacts that the room of the caps has been reduced by already. The place
        is given up after so many seconds.
        """
        if not caps:
            return None
        said = [
            json.dumps(dict.fromkeys(known, True)),
            json.dumps(
                [
                    {"room": room, "channels": dict.fromkeys(channels, True)}
                    for room, channels in caps
                ]
            ),
        ]
        reached = int(
            await self._reserve(keys=[_places(place, stream)], args=[name, channel, seconds, *said])
        )
        return reached - 1 if reached else None

    async def release(self, place: GroupShard, stream: str, name: str, channel: str) -> None:
        """Give up a place that was held."""
        await cast("Any", self._redis.zrem(_places(place, stream), f"{channel} {name}"))

    async def note(self, name: str, said: bytes) -> None:
        """Keep what a process has to say of itself."""
        await self._redis.set(f"tierfold:{name}", said)

    async def noted(self, name: str) -> bytes | None:
        """What a process said of itself last."""
        return cast("bytes | None", await self._redis.get(f"tierfold:{name}"))

    async def count(self, place: GroupShard) -> int:
        """How many streams have a state."""
        return int(await cast("Any", self._redis.scard(_key(place, "streams"))))

    async def forget(self, place: GroupShard, keys: Sequence[str]) -> None:
        """Remove the states of these keys, and that anything was ever folded here."""
        names = [_key(place, name) for name in ("upto", "etag", "beat", "due", "streams")]
        prefixes = [_prefix(place, key) for key in keys]
        while await self._forget(keys=names, args=[ERASED_STREAMS, *prefixes]):
            pass

    async def streams(self, place: GroupShard) -> AsyncIterator[list[str]]:
        """Every stream with a state; one may come twice."""
        cursor = 0
        while True:
            cursor, found = await cast(
                "Any", self._redis.sscan(_key(place, "streams"), cursor, count=1000)
            )
            if found:
                yield [stream.decode() for stream in found]
            if cursor == 0:
                return

    async def due(self, place: GroupShard, day: date) -> list[str] | None:
        """The streams in which something is due on a day or before; None if the index is lost."""
        found = cast(
            "list[bytes]",
            await self._redis.zrange(
                _key(place, "due"), cast("int", "-inf"), day.toordinal(), byscore=True
            ),
        )
        names = [name.decode() for name in found]
        return [name.partition(" ")[2] for name in names[1:]] if INDEXED in names[:1] else None

    async def due_of(self, place: GroupShard, wanted: Sequence[tuple[str, str]]) -> list[int]:
        """By `(key, stream)`, the ordinal of the day on which something is due, or `NEVER`."""
        names = [f"{key} {stream}" for key, stream in wanted]
        return [int(day or NEVER) for day in await self._redis.zmscore(_key(place, "due"), names)]

    async def is_indexed(self, place: GroupShard) -> bool:
        """Whether all states there were kept with what is due in them.

        Those of an earlier release were not.
        """
        mark = await self._redis.zscore(_key(place, "due"), INDEXED)
        return mark is not None and -mark == await self.upto(place)

    async def set_indexed(self, place: GroupShard, upto: int) -> None:
        """Note that all that were folded up to a position are."""
        await self._redis.zadd(_key(place, "due"), {INDEXED: -upto})


def _key(place: GroupShard, *names: str) -> str:
    return ":".join((f"tierfold:{{{place.shard}}}", place.group, *names))


@lru_cache(maxsize=4096)
def _prefix(place: GroupShard, key: str) -> str:
    """What stands before the stream in the name of a state: the same for thousands of them."""
    return _key(place, key, "")


def _places(place: GroupShard, stream: str) -> str:
    return _key(place, "places", stream)


def _stored(value: bytes | str | None) -> StoredState | None:
    if value is None or isinstance(value, str):
        return None
    upto, _, state = value.partition(b" ")
    return (
        StoredState(int(upto), state) if upto.isdigit() else StoredState(0, value)
    )  # what cannot be read is told by whoever decodes it
