"""Where are the dependencies?

The one place that turns settings into the broker's, the journal's and the front door.
"""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.keys import NOTARY, master_of, signer_of, vouching_of
from deploy.settings import Settings
from deploy.terminal import UserError
from replay.erasure.register import Erasures
from streams.broker.kafka import Broker
from streams.journal import Journal
from streams.keyring import Keyring, NoKey, has_keys
from streams.policies.in_force import InForce
from streams.publish.confirmed_producer import ConfirmedProducer

if TYPE_CHECKING:
    from domain.notices.subscribers import Subscriber
    from projections.redis import RedisStore
    from replay.evidence.notary import Notary
    from streams.outbox.delivery import Delivery
    from streams.outbox.sinks import Sink


def broker_of(settings: Settings) -> Broker:
    """The broker's door."""
    return Broker(settings.broker, settings.security)


def store_of(settings: Settings) -> "RedisStore":
    """The read models, whether Redis has begun or not."""
    from projections.redis import RedisStore

    return RedisStore(settings.redis, settings.redis_password if settings.draws_redis else None)


def journal_of(
    settings: Settings, *, restored: bool = False, for_auditors: bool = False
) -> Journal:
    """The journal, with the keys by which it is sealed; raises `UserError` as `keyring_of` does."""
    return Journal(
        settings.journal_url,
        settings.shards,
        keyring_of(settings, restored=restored, for_auditors=for_auditors),
    )


def whole_journal(settings: Settings) -> Journal:
    """The journal, for those who serve; raises `UserError` where anything of it is another's.

    Its shards are as many as it was made with, its keys open what was recorded last, and who was
    forgotten is in the register.
    """
    journal = journal_of(settings)
    if (
        journal.keyring is not None
        and not settings.erasures_file.exists()
        and journal.keyring.any_destroyed()
    ):
        raise UserError(
            f"the register of who was forgotten is gone: put back {settings.erasures_file}"
        )
    try:
        for shard in journal:
            shard.must_open()
    except (ValueError, NoKey) as error:
        raise UserError(f"it does not start: {error}") from error
    return journal


def keyring_of(
    settings: Settings, *, restored: bool = False, for_auditors: bool = False
) -> Keyring:
    """The keys of the customers, `for_auditors` also of those who are restricted.

    Raises `UserError` for a master key that cannot be used, or is gone: it is not made anew.

    And, unless they are known to be `restored`, for keys of those who were forgotten: nobody may
    serve with these.
    """
    if (
        settings.master is None
        and not settings.master_file.exists()
        and has_keys(settings.vault_url)
    ):
        raise UserError(
            f"the master key is gone, and the customers' keys are wrapped by it: put back "
            f"{settings.master_file}"
        )
    try:
        keyring = Keyring(settings.vault_url, master_of(settings), for_auditors=for_auditors)
    except (OSError, ValueError) as error:
        raise UserError(f"the master key cannot be used: {error}") from error
    gone = {erased.subject for erased in Erasures(settings.erasures_file).all()}
    if not restored and (back := gone - keyring.destroyed(gone)):
        raise UserError(
            f"these keys come from a backup: {len(back)} customers who were forgotten are in them "
            "again. Run `tierfold privacy replay` first"
        )
    return keyring


def has_journal(settings: Settings) -> bool:
    """Whether there is a journal; without looking into it."""
    return (
        not settings.journal_url.startswith("sqlite")
        or Path(settings.journal_url.removeprefix("sqlite://")).is_dir()
    )


def existing_journal(
    settings: Settings, *, restored: bool = False, for_auditors: bool = False
) -> Journal:
    """The journal, for those who only read it; raises `UserError` if there is none."""
    if not has_journal(settings):
        raise UserError(
            f"there is no journal in {settings.journal_url.removeprefix('sqlite://')}: name the "
            "right --data-dir"
        )
    return journal_of(settings, restored=restored, for_auditors=for_auditors)


def producer_of(settings: Settings, journal: Journal) -> ConfirmedProducer:
    """The front door: what is sent through it is safe in the journal, or in a broker that
    keeps its word.
    """
    return ConfirmedProducer(
        broker_of(settings), None if settings.broker_keeps else journal, vouching_of(settings)
    )


def notary_of(settings: Settings) -> "Notary":
    """The notary; raises `UserError` for keys that cannot be read."""
    from replay.evidence.notary import Notary
    from replay.evidence.signed_note import Public
    from replay.evidence.witness_http import RemoteWitness

    if (settings.witness is None) != (settings.witness_key is None):
        raise UserError("a witness needs both TIERFOLD_WITNESS and TIERFOLD_WITNESS_KEY")
    witness = (
        RemoteWitness(settings.witness, Public.read(settings.witness_key))
        if settings.witness and settings.witness_key
        else None
    )
    every = timedelta(seconds=settings.checkpoint_seconds)
    must_have_evidence(settings)
    signer = signer_of(settings, NOTARY)
    return Notary(
        Journal(settings.journal_url, settings.shards),
        settings.evidence_dir,
        settings.origin,
        signer,
        witness,
        settings.checkpoint_events,
        every,
    )


def subscribers_of(settings: Settings) -> "tuple[Subscriber, ...]":
    """The bank's subscribers; raises `UserError` where no file is named, or it cannot be used."""
    from deploy.policy_files import read_subscribers

    if settings.subscribers is None:
        raise UserError("nobody subscribes: name a file in TIERFOLD_SUBSCRIBERS")
    return read_subscribers(settings.subscribers).subscribers


def secret_file(settings: Settings, name: str) -> Path:
    """Where the secrets of a subscriber are, one a line: the first is the newest."""
    return settings.keys_dir / f"webhook-{name}"


def sink_of(settings: Settings, who: "Subscriber") -> "Sink":
    """Where a subscriber's notices are handed over; raises `UserError` for secrets of no use."""
    from streams.outbox.sinks import Topic, Webhook, read_secret

    if who.url is None:
        return Topic(broker_of(settings), settings.shards)
    file = secret_file(settings, who.name)
    try:
        lines = file.read_text(encoding="ascii").split()
        return Webhook(who.url, [read_secret(line) for line in lines])
    except FileNotFoundError as error:
        raise UserError(
            f"{who.name} has no secret: `tierfold notices secret {who.name}` makes one"
        ) from error
    except ValueError as error:
        raise UserError(f"{file} cannot be used: {error}") from error


def deliveries_of(settings: Settings, journal: Journal, policies: InForce) -> "list[Delivery]":
    """How each subscriber is told; raises `UserError` for secrets and checkpoints of no use."""
    from streams.outbox.checkpoint import BadCheckpoint, Checkpoints
    from streams.outbox.delivery import Delivery
    from streams.outbox.notices import Source

    try:
        return [
            Delivery(
                each,
                Source(journal, each, policies),
                sink_of(settings, each),
                Checkpoints(settings.outbox_dir, each.name),
            )
            for each in subscribers_of(settings)
        ]
    except BadCheckpoint as error:
        raise UserError(str(error)) from error


def must_have_evidence(settings: Settings) -> None:
    """Raises `UserError` where of the notary's key and its evidence one is there without the
    other.
    """
    key, folder = settings.keys_dir / NOTARY, settings.evidence_dir
    if key.exists() and not folder.exists():
        raise UserError(f"the evidence that this notary has signed is gone: put back {folder}")
    if not key.exists() and any(folder.glob("shard-*")):
        raise UserError(f"the key that signed the evidence is gone: put back {key}")
    folder.mkdir(parents=True, exist_ok=True)
