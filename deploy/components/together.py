"""All three together in a folder, watched, and how our processes find them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import structlog
from pydantic import BaseModel

from deploy.components.kafka import USERS, Kafka, jars
from deploy.components.postgres import Postgres
from deploy.components.program import Missing, Program, free_ports
from deploy.components.redis import Redis
from deploy.settings import Settings

log = structlog.get_logger()

WATCH_EVERY = 0.5


class Drawn(BaseModel):
    """What is drawn at the first start and kept: the ports of all, the password of each."""

    brokers: list[int]
    postgres: int
    redis: int
    secure: bool
    passwords: dict[str, str]


class Components:
    """Apache Kafka, PostgreSQL and Redis in a folder.

    With `secure` nobody is let in to Kafka without a name, and nobody may what the shipped ACLs do
    not say.

    `tools` is where Kafka's jars are kept. A folder that is there stays as it was made; raises
    `Missing` where something else is asked for.
    """

    def __init__(
        self, folder: Path, tools: Path, brokers: int = 1, *, secure: bool = False
    ) -> None:
        self._drawn = drawn = _drawn(folder, brokers, secure=secure)
        self.kafka = Kafka(
            folder / "kafka", jars(tools), drawn.brokers, drawn.passwords if secure else {}
        )
        self.postgres = Postgres(folder / "postgres", drawn.postgres, drawn.passwords["postgres"])
        self.redis = Redis(folder / "redis", drawn.redis)

    @property
    def programs(self) -> list[Program]:
        """Every process."""
        return [*self.kafka.brokers, self.postgres.program, self.redis.program]

    def start(self) -> None:
        """Start all, and wait until they answer. Raises `Missing`."""
        self.redis.start()
        self.postgres.start()
        self.kafka.start()
        if self._drawn.secure:
            self.kafka.apply_acls()

    def stop(self) -> None:
        """Stop all."""
        self.kafka.stop()
        self.postgres.stop()
        self.redis.stop()

    def watch(self, stop: threading.Event) -> None:
        """Start again what dies, until told to stop."""
        while not stop.wait(WATCH_EVERY):
            for program in self.programs:
                if program.pid is None:
                    log.warning("component_restarted", component=program.name, log=str(program.log))
                    program.start()

    def environment(self, user: str = "operator") -> dict[str, str]:
        """The settings (`TIERFOLD_*`) by which a process finds them, let in to Kafka
        as this user.
        """
        return {
            "TIERFOLD_EMBEDDED": "false",
            "TIERFOLD_BROKER": self.kafka.servers,
            "TIERFOLD_BROKER_KEEPS": "true",
            "TIERFOLD_JOURNAL": self.postgres.url,
            "TIERFOLD_VAULT": self.postgres.url,
            "TIERFOLD_REDIS": self.redis.url,
            "TIERFOLD_REDIS_KEEPS": "true",
            "TIERFOLD_WHO": "typed",  # everybody on this machine is the same login
            **self.kafka.security(user),
        }

    def settings(self, user: str = "operator", **chosen: object) -> Settings:
        """The same as settings, with what else is chosen."""
        found = {
            name.removeprefix("TIERFOLD_").lower(): value
            for name, value in self.environment(user).items()
        }
        return Settings.model_validate({**found, **chosen})

    def write_environments(self, folder: Path) -> None:
        """A file for each user, to be read by a shell (`set -a; . FILE`); for its owner only."""
        for user in USERS:
            file = folder / f"{user}.env"
            file.touch(mode=0o600)
            file.write_text(
                "".join(f"{name}={value}\n" for name, value in self.environment(user).items())
            )


def _drawn(folder: Path, brokers: int, *, secure: bool) -> Drawn:
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "components.json"
    if not kept.is_file():
        *of_brokers, postgres, redis = free_ports(2 * brokers + 2)
        passwords = {name: token_hex(16) for name in ("postgres", *USERS)}
        kept.touch(mode=0o600)
        kept.write_text(
            Drawn(
                brokers=of_brokers,
                postgres=postgres,
                redis=redis,
                secure=secure,
                passwords=passwords,
            ).model_dump_json()
        )
    drawn = Drawn.model_validate_json(kept.read_text())
    if (len(drawn.brokers), drawn.secure) != (2 * brokers, secure):
        raise Missing(
            f"{folder} was made with {len(drawn.brokers) // 2} brokers, "
            f"{'secure' if drawn.secure else 'open'}: ask for the same, or name another folder"
        )
    return drawn


@contextmanager
def components(
    folder: Path, tools: Path, brokers: int = 1, *, secure: bool = False
) -> Iterator[Components]:
    """All three, started, and stopped at the end."""
    made = Components(folder, tools, brokers, secure=secure)
    try:
        made.start()
        yield made
    finally:
        made.stop()
