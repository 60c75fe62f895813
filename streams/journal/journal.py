"""Where is the journal? All its shards, behind one URL."""

import threading
from collections.abc import Iterator
from pathlib import Path

from streams.journal.outcomes import Counts
from streams.journal.shard import Recorder, Shard
from streams.journal.sqlite import open_sqlite
from streams.keyring import Keyring


class Journal:
    """The shards of a journal, each opened at its first use.

    `url` is `sqlite:///folder` (one file per shard) or
    `postgresql://user:password@host:port/database` (one schema per shard; what else libpq can be
    told, such as `PGSSLMODE`, comes from its environment). Raises `ValueError` for any other, and
    for a number of shards that is not the one it was made with. With a keyring, what events say is
    sealed by the key of whom they are about. Can be sent to another process.
    """

    def __init__(self, url: str, shards: int, keyring: Keyring | None = None) -> None:
        scheme = url.partition("://")[0]
        if scheme not in ("sqlite", "postgresql"):
            raise ValueError(
                f"journal url must start with sqlite:/// or postgresql://, not {scheme}"
            )
        self.url = url
        self.keyring = keyring
        self._shards = shards
        self._open_shards: dict[int, Shard] = {}
        self._opening = threading.Lock()

    def __getitem__(self, number: int) -> Shard:
        with self._opening:
            if number not in self._open_shards:
                self._open_shards[number] = self._checked(
                    Shard(number, self._open(number), self.keyring)
                )
        return self._open_shards[number]

    def __reduce__(self) -> tuple[type["Journal"], tuple[str, int, Keyring | None]]:
        return Journal, (self.url, self._shards, self.keyring)

    def __iter__(self) -> Iterator[Shard]:
        return (self[number] for number in range(self._shards))

    def __len__(self) -> int:
        return self._shards

    def close(self) -> None:
        """Let the databases' connections go."""
        for shard in self._open_shards.values():
            shard.close()
        if self.keyring is not None:
            self.keyring.close()

    def counts(self) -> Counts:
        """The outcomes of all arrivals of all shards."""
        return sum((shard.counts() for shard in self), Counts())

    def _checked(self, shard: Shard) -> Shard:
        made_with = shard.made_with(self._shards)
        if made_with != self._shards:
            raise ValueError(
                f"this journal has {made_with} shards, not {self._shards}: TIERFOLD_SHARDS is "
                "fixed once there is data"
            )
        return shard

    def _open(self, number: int) -> Recorder:
        if self.url.startswith("sqlite"):
            return open_sqlite(Path(self.url.removeprefix("sqlite://")), number)
        from streams.journal.postgres import open_postgres  # its library takes a while to load

        return open_postgres(self.url, number)
