"""Which settings are there?

All from the environment, as `TIERFOLD_*`, each with a default for the embedded stack.
"""

import json
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.event import Role

RATE = r"^[0-9]{1,9}/(second|minute|hour)$"
PRIVATE = re.compile(r"https://|http://(localhost|127\.0\.0\.1)(:[0-9]+)?(/|$)")
"""Addresses that nobody listens to on the way."""
POLICIES = Path(__file__).parent / "policies"


def as_environment(chosen: Mapping[str, Any]) -> dict[str, str]:
    """Settings by their variables, as `Settings` reads them."""
    return {
        f"TIERFOLD_{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in chosen.items()
    }


class Settings(BaseSettings):
    """Where everything is.

    A URL decides between the embedded default and the real thing; the code is the same.
    """

    model_config = SettingsConfigDict(env_prefix="TIERFOLD_", frozen=True)

    data_dir: Path = Field(
        default=Path(".tierfold"), description="Where the embedded stack keeps its state."
    )
    shards: int = Field(
        default=4,
        ge=1,
        le=1024,
        description=(
            "Shards of the journal, and partitions of the topics; fixed once data is there."
        ),
    )
    embedded: bool = Field(
        default=True,
        description="Whether `up` brings a broker and Redis along; false where they run already.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description=(
            "How many intakes, and how many agents' workers, `up` runs; each takes its share of "
            "the shards."
        ),
    )
    broker: str = Field(
        default="127.0.0.1:19092", description="Kafka bootstrap servers, host:port,host:port."
    )
    broker_keeps: bool = Field(
        default=False,
        description="True for a broker that keeps what it acknowledges, as Apache Kafka.",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    journal: str | None = Field(
        default=None, description="sqlite:///folder or postgresql://…; default: in data_dir."
    )
    redis: str = Field(
        default="redis://127.0.0.1:16379/0", description="Redis for the read models."
    )
    redis_keeps: bool = Field(
        default=False, description="True for a Redis that keeps snapshots or logs of its own."
    )
    policy: Path = Field(
        default=POLICIES / "tiers" / "bohai-retail.yaml",
        description="The tier policy, YAML or JSON.",
    )
    catalogue: Path = Field(
        default=POLICIES / "offers.yaml",
        description="The offers that the bank begins with, YAML or JSON.",
    )
    privacy: Path = Field(
        default=POLICIES / "privacy.yaml",
        description="The privacy policy that the bank begins with, YAML or JSON.",
    )
    arrivals: Path = Field(
        default=POLICIES / "arrivals.yaml",
        description="What is believed when it arrives, for the bank to begin with, YAML or JSON.",
    )
    subscribers: Path | None = Field(
        default=None,
        description="Who is told what happened, YAML or JSON; nobody, if none is named.",
    )
    outbox: Path | None = Field(
        default=None,
        description="The folder that says what subscribers were told; default: in data_dir.",
    )
    timezone: str = Field(
        default="Asia/Shanghai", description="Where the bank's days begin and end."
    )
    host: str = Field(default="127.0.0.1", description="Where the lookups listen.")
    port: int = Field(default=8080, description="The lookups' port.")
    lookups_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@]+$",
        description="Where the console asks the lookups, http://…; default: their host and port.",
    )
    prometheus_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#@]+(/[^?#@]*)?$",
        description="Your Prometheus, which the page of alerts asks, http://….",
    )
    console_port: int = Field(
        default=8090,
        ge=0,
        le=65535,
        description="The port of the web console, at the same host; 0 starts none.",
    )
    console_tls: bool = Field(
        default=False,
        description="Whether readers come to the console over TLS: its cookies are then for that "
        "alone.",
    )
    console_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#]+$",
        description="Where readers find the console, https://…; default: its host and port.",
    )
    openid_issuer: str | None = Field(
        default=None,
        description="The bank's identity provider (OpenID Connect), whose people may log in at the "
        "console: https://….",
    )
    openid_client: str = Field(
        default="tierfold", description="What the console is known as there (client_id)."
    )
    openid_secret: Path | None = Field(
        default=None,
        description="The file of its secret there.",
    )
    openid_roles: dict[str, tuple[Role, ...]] = Field(
        default={},
        description='What the groups of people may be here, as JSON: {"managers": ["manager"]}.',
    )
    openid_name: str = Field(
        default="sub", description="The claim that says who somebody is: their name in all records."
    )
    openid_groups: str = Field(
        default="groups", description="The claim that says in which groups somebody is."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description=(
            "Where intake, agents, guard, notary and outbox answer /metrics and /healthz, if "
            "at all."
        ),
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="The address for that: 0.0.0.0 in a container of one's own.",
    )
    lag_limit: int = Field(
        default=50_000,
        ge=0,
        description="Events behind the journal from which on lookups are not ready.",
    )
    lookup_stalls: bool = Field(
        default=False,
        description="Whether lookups tell in /metrics what kept them from going on for 2 ms or "
        "more; a looking glass for a while, not for always.",
    )
    jobs: bool = Field(
        default=True,
        description="Whether people may begin jobs over HTTP. A job runs with the rights and the "
        "memory of the lookups, and is known to the machine that began it.",
    )
    guard_share: float = Field(
        default=0.2,
        gt=0,
        le=1,
        description="The share of one core with which the guard verifies events and states; a "
        "fortieth of it where nothing is new, or others are behind.",
    )
    origin: str = Field(
        default="tierfold",
        pattern=r"^[A-Za-z0-9_.\-/]+$",
        description="Under which checkpoints are signed, as bank.example.",
    )
    keys: Path | None = Field(
        default=None, description="The folder of the signing keys; default: in data_dir."
    )
    who: Literal["typed", "login", "token"] | None = Field(
        default=None,
        description=(
            "By what a command knows who gives it: what is typed behind --by, the login, or a "
            "token; default: typed beside the embedded stack, else the login."
        ),
    )
    token: SecretStr | None = Field(
        default=None, description="The token of whoever gives a command; it says who that is."
    )
    token_issuer: str = Field(default="tierfold", description="Whose tokens let callers in (iss).")
    token_audience: str = Field(default="tierfold", description="For whom they must be (aud).")
    token_keys: str | None = Field(
        default=None,
        description=(
            "The issuer's JWK set, a file or https://…; default: a key of our own, in keys."
        ),
    )
    rate: str = Field(
        default="2000/second", pattern=RATE, description="How often one system may ask."
    )
    rate_of_people: str = Field(
        default="120/minute", pattern=RATE, description="How often one person may ask."
    )
    vault: str | None = Field(
        default=None,
        description=(
            "The database of the customers' keys, sqlite:///file or postgresql://…; default: in "
            "data_dir."
        ),
    )
    master: str | None = Field(
        default=None,
        description=(
            "What wraps them: a file, env:VARIABLE, or https://…/v1/transit/keys/NAME; default: "
            "in data_dir."
        ),
    )
    door: Path | None = Field(
        default=None,
        description=(
            "The key by which the bank's processes know each other's word; default: in data_dir."
        ),
    )
    erasures: Path | None = Field(
        default=None,
        description="The register of who was forgotten; outside all backups. Default: in data_dir.",
    )
    evidence: Path | None = Field(
        default=None, description="The append-only folder of checkpoints; default: in data_dir."
    )
    checkpoint_events: int = Field(
        default=10_000,
        ge=1,
        description="Events of a shard after which a checkpoint is signed at once.",
    )
    checkpoint_seconds: int = Field(
        default=60,
        ge=1,
        description="Seconds after which a checkpoint is signed if there is anything new.",
    )
    witness: str | None = Field(
        default=None, description="Where a witness cosigns checkpoints, https://…."
    )
    witness_key: str | None = Field(
        default=None, description="The witness's public key, name+id+key."
    )
    broker_memory_limit: int = Field(
        default=1_500_000_000, description="Bytes after which the embedded broker is recycled."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError(f"there is no time zone {name}: one is Asia/Shanghai") from None
        return name

    @field_validator("openid_issuer")
    @classmethod
    def _is_private(cls, issuer: str | None) -> str | None:
        if issuer is not None and not PRIVATE.match(issuer):
            raise ValueError("an identity provider is asked over https:// alone")
        return issuer

    @model_validator(mode="after")
    def _one_intake_without_a_group(self) -> Self:
        if self.workers > 1 and not self.broker_keeps:
            raise ValueError(
                "more than one worker needs a broker that keeps what it acknowledges: "
                "TIERFOLD_BROKER_KEEPS=true"
            )
        return self

    @cached_property
    def journal_url(self) -> str:
        """The journal's URL, with the default filled in."""
        return self.journal or f"sqlite://{(self.data_dir / 'journal').resolve()}"

    @property
    def believed_who(self) -> Literal["typed", "login", "token"]:
        """By what a command knows who gives it, with the default filled in."""
        return self.who or ("typed" if self.embedded else "login")

    @property
    def redis_dir(self) -> Path:
        """Where the embedded Redis keeps its snapshots and its password."""
        return self.data_dir / "redis"

    @property
    def redis_url(self) -> str:
        """The URL of Redis, with the password of the embedded one where it has drawn one."""
        if not self.draws_redis or not self.redis_password.is_file():
            return self.redis
        drawn = self.redis_password.read_text(encoding="ascii")
        return self.redis.replace("://", f"://:{drawn}@", 1)

    @property
    def draws_redis(self) -> bool:
        """Whether each start of Redis draws its password."""
        return self.embedded and "@" not in self.redis

    @property
    def redis_password(self) -> Path:
        """The file with the password of the embedded Redis."""
        return self.redis_dir / "password"

    @property
    def keys_dir(self) -> Path:
        """Where the signing keys are."""
        return self.keys or self.data_dir / "keys"

    @cached_property
    def vault_url(self) -> str:
        """The URL of the customers' keys, with the default filled in."""
        return self.vault or f"sqlite://{(self.data_dir / 'vault' / 'keys.db').resolve()}"

    @property
    def master_file(self) -> Path:
        """Where the master key is, unless it is named."""
        return self.data_dir / "master" / "key"

    @property
    def erasures_file(self) -> Path:
        """Where the register is of who was forgotten."""
        return self.erasures or self.data_dir / "erasures" / "register"

    @property
    def evidence_dir(self) -> Path:
        """Where the evidence is."""
        return self.evidence or self.data_dir / "evidence"

    @property
    def outbox_dir(self) -> Path:
        """Where it is kept what subscribers were told."""
        return self.outbox or self.data_dir / "outbox"

    @property
    def facts(self) -> Path:
        """Where the facts of the whole bank are kept for what-if."""
        return self.data_dir / "facts"

    @property
    def jobs_dir(self) -> Path:
        """Where it is kept what people asked for that takes a while."""
        return self.data_dir / "jobs"

    @property
    def address(self) -> str:
        """The lookups' base URL."""
        return f"http://{self.host}:{self.port}"

    @property
    def asked_at(self) -> str:
        """Where the console asks the lookups."""
        return self.lookups_url or self.address

    @property
    def console_address(self) -> str:
        """The console's base URL."""
        return self.console_url or f"http://{self.host}:{self.console_port}"

    @property
    def console_is_private(self) -> bool:
        """Whether readers come over TLS: cookies are then for that alone."""
        return self.console_tls or self.console_address.startswith("https://")

    @property
    def console_links(self) -> Path:
        """Where the digests of one-use links are."""
        return self.data_dir / "console" / "links"

    @property
    def console_ended(self) -> Path:
        """Where the names of sessions are that were ended."""
        return self.data_dir / "console" / "ended"

    @property
    def has_console(self) -> bool:
        """Whether the console is started with the embedded stack."""
        return self.embedded and self.console_may_ask and self.console_port != 0

    @property
    def console_may_ask(self) -> bool:
        """Whether tokens that the console makes are believed: where another issuer makes all
        others, only if people log in at the bank's identity provider.
        """
        return self.token_keys is None or self.openid_issuer is not None

    @cached_property
    def security(self) -> dict[str, Any]:
        """The broker's security settings, as kafka-python names them."""
        wanted = {
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": self.sasl_password.get_secret_value()
            if self.sasl_password
            else None,
            "ssl_cafile": str(self.ssl_cafile) if self.ssl_cafile else None,
        }
        return {name: value for name, value in wanted.items() if value is not None}
