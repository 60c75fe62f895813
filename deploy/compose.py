"""Where are the doors? The one place that turns settings into the broker's, the journal's and the front door."""

from pathlib import Path

from deploy.console import Mendable
from deploy.keys import master_of
from deploy.settings import Settings
from streams.courier import Courier
from streams.journal import Journal
from streams.kafka import Broker
from streams.keyring import Keyring


def broker_of(settings: Settings) -> Broker:
    """The broker's door."""
    return Broker(settings.broker, settings.security)


def journal_of(settings: Settings) -> Journal:
    """The journal, with the keys by which it is sealed; raises `Mendable` for a master key that cannot be used."""
    return Journal(settings.journal_url, settings.shards, keyring_of(settings))


def keyring_of(settings: Settings) -> Keyring:
    """The keys of the customers; raises `Mendable` for a master key that cannot be used."""
    try:
        return Keyring(settings.vault_url, master_of(settings))
    except (OSError, ValueError) as error:
        raise Mendable(f"the master key cannot be used: {error}") from error


def has_journal(settings: Settings) -> bool:
    """Whether there is a journal; without looking into it."""
    return not settings.journal_url.startswith("sqlite") or Path(settings.journal_url.removeprefix("sqlite://")).is_dir()


def existing_journal(settings: Settings) -> Journal:
    """The journal, for those who only read it; raises `Mendable` if there is none."""
    if not has_journal(settings):
        raise Mendable(f"there is no journal in {settings.journal_url.removeprefix('sqlite://')}: name the right --data-dir")
    return journal_of(settings)


def courier_of(settings: Settings, journal: Journal) -> Courier:
    """The front door: what is sent through it is safe in the journal, or in a broker that keeps its word."""
    return Courier(broker_of(settings), None if settings.broker_keeps else journal)
