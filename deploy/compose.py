"""Where are the doors? The one place that turns settings into the broker's, the journal's and the front door."""

from pathlib import Path

from deploy.console import Mendable
from deploy.keys import master_of, vouching_of
from deploy.settings import Settings
from replay.erasures import Erasures
from streams.courier import Courier
from streams.journal import Journal
from streams.kafka import Broker
from streams.keyring import Keyring


def broker_of(settings: Settings) -> Broker:
    """The broker's door."""
    return Broker(settings.broker, settings.security)


def journal_of(settings: Settings, *, restored: bool = False, for_auditors: bool = False) -> Journal:
    """The journal, with the keys by which it is sealed; raises `Mendable` as `keyring_of` does."""
    return Journal(settings.journal_url, settings.shards, keyring_of(settings, restored=restored, for_auditors=for_auditors))


def keyring_of(settings: Settings, *, restored: bool = False, for_auditors: bool = False) -> Keyring:
    """The keys of the customers, `for_auditors` also of those who are restricted; raises `Mendable` for a master key that cannot be used.

    And, unless they are known to be `restored`, for keys of those who were forgotten: nobody may serve with these.
    """
    try:
        keyring = Keyring(settings.vault_url, master_of(settings), for_auditors=for_auditors)
    except (OSError, ValueError) as error:
        raise Mendable(f"the master key cannot be used: {error}") from error
    gone = {erased.subject for erased in Erasures(settings.erasures_file).all()}
    if not restored and (back := gone - keyring.destroyed(gone)):
        raise Mendable(f"these keys come from a backup: {len(back)} customers who were forgotten are in them again. Run `tierfold privacy replay` first")
    return keyring


def has_journal(settings: Settings) -> bool:
    """Whether there is a journal; without looking into it."""
    return not settings.journal_url.startswith("sqlite") or Path(settings.journal_url.removeprefix("sqlite://")).is_dir()


def existing_journal(settings: Settings, *, restored: bool = False, for_auditors: bool = False) -> Journal:
    """The journal, for those who only read it; raises `Mendable` if there is none."""
    if not has_journal(settings):
        raise Mendable(f"there is no journal in {settings.journal_url.removeprefix('sqlite://')}: name the right --data-dir")
    return journal_of(settings, restored=restored, for_auditors=for_auditors)


def courier_of(settings: Settings, journal: Journal) -> Courier:
    """The front door: what is sent through it is safe in the journal, or in a broker that keeps its word."""
    return Courier(broker_of(settings), None if settings.broker_keeps else journal, vouching_of(settings))
