"""Where is the journal? All its shards, behind one URL."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from streams.journal.outcomes import Counts
from streams.journal.postgres import open_postgres
from streams.journal.shard import Recorder, Shard
from streams.journal.sqlite import open_sqlite


class Journal:
    """The shards of a journal, each opened at its first use.

    `url` is `sqlite:///folder` (one file per shard) or `postgresql://user:password@host:port/database` (one
    schema per shard). Raises `ValueError` for any other.
    """

    def __init__(self, url: str, shards: int) -> None:
        scheme = url.partition("://")[0]
        if scheme not in ("sqlite", "postgresql"):
            raise ValueError(f"journal url must start with sqlite:/// or postgresql://, not {scheme}")
        self._url = url
        self._shards = shards

    @cached_property
    def shards(self) -> tuple[Shard, ...]:
        """Every shard, by number."""
        return tuple(Shard(number, self._open(number)) for number in range(self._shards))

    def __getitem__(self, number: int) -> Shard:
        return self.shards[number]

    def __iter__(self) -> Iterator[Shard]:
        return iter(self.shards)

    def close(self) -> None:
        """Let the databases' connections go."""
        for shard in self.shards:
            shard.close()

    def counts(self) -> Counts:
        """The outcomes of all arrivals of all shards."""
        return sum((shard.counts() for shard in self.shards), Counts())

    def _open(self, number: int) -> Recorder:
        if self._url.startswith("sqlite"):
            return open_sqlite(Path(self._url.removeprefix("sqlite://")), number)
        return open_postgres(self._url, number)
