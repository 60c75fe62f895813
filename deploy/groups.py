"""Which folds run? What was decided, by the journal; the tier policy of the settings until anything was."""

from datetime import date, datetime

from deploy.compose import has_journal, journal_of
from deploy.files import read_policy
from deploy.settings import Settings
from domain.policy import TierPolicy
from domain.versions import Versions
from projections.store import Store
from projections.versions import Present, policy_then, present
from streams.journal import Journal
from streams.register import Register, decided


def begun_with(settings: Settings) -> TierPolicy:
    """The tier policy of the settings; raises `BadFile` for one that cannot be used."""
    return read_policy(settings.policy)


def present_of(settings: Settings, journal: Journal | None = None) -> Present:
    """The groups that run, by the journal; where there is none yet, those that it would begin with."""
    if journal is None and not has_journal(settings):
        return present(Versions(), begun_with(settings))
    return present(decided(journal or journal_of(settings)), begun_with(settings))


def policy_in_force(settings: Settings, journal: Journal, on: date | None, at: datetime | None = None) -> TierPolicy:
    """The tier policy in force on a day, of what was decided by a time, by the journal; neither: today's."""
    return policy_then(decided(journal), begun_with(settings), on, at)


def register_of(settings: Settings, store: Store, journal: Journal) -> Register:
    """Who tells, at any time, which groups run."""
    return Register(store, journal, begun_with(settings))
