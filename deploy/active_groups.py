"""Which folds run, and which policies hold?

What was decided, by the journal; what the settings say until anything was.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from deploy.policy_files import read_arrivals, read_catalogue, read_policy, read_privacy
from deploy.settings import Settings
from deploy.wiring import has_journal, journal_of
from domain.rollout.lifecycle import Versions
from domain.tiering.policy import TierPolicy
from projections.registry import Present, present
from projections.rollout.versions import Rules, rules
from projections.store import Store
from streams.folds.active_groups import Register, decided
from streams.ingest.screening import Screens
from streams.journal import Journal
from streams.policies.in_force import Begun, Followed, InForce

if TYPE_CHECKING:
    from replay.what_if.compare import Comparison


def begun_with(settings: Settings) -> TierPolicy:
    """The tier policy of the settings; raises `BadFile` for one that cannot be used."""
    return read_policy(settings.policy)


def begun(settings: Settings) -> Begun:
    """The other policies of the settings; raises `BadFile` for one that cannot be used."""
    return Begun(
        read_catalogue(settings.catalogue),
        read_privacy(settings.privacy),
        read_arrivals(settings.arrivals),
    )


def policies_of(settings: Settings, journal: Journal) -> InForce:
    """The policies that hold, by the journal."""
    return InForce(begun(settings), Followed(journal))


def screens_of(settings: Settings, journal: Journal) -> Screens:
    """What must not come in, by the policies that hold."""
    return Screens(policies_of(settings, journal), ZoneInfo(settings.timezone))


def present_of(settings: Settings, journal: Journal | None = None) -> Present:
    """The groups that run, by the journal; where there is none yet, those that it would
    begin with.
    """
    if journal is None and not has_journal(settings):
        return present(Versions(), begun_with(settings))
    return present(decided(journal or journal_of(settings)), begun_with(settings))


def rules_in_force(
    settings: Settings, journal: Journal, on: date | None = None, at: datetime | None = None
) -> Rules:
    """The tier policies in force on a day, of what was decided by a time, by the journal.

    Neither: today's.
    """
    return rules(decided(journal), begun_with(settings), on, at)


def tried(settings: Settings, candidates: Sequence[TierPolicy]) -> "list[Comparison]":
    """Each candidate compared with the live policy of its scheme, over the facts that are kept.

    Raises `BadColumns` where there are none.
    """
    from replay.what_if.candidates import what_if
    from replay.what_if.columns import BadColumns
    from replay.what_if.snapshot import kept_columns

    columns = kept_columns(settings.facts)
    if columns is None:
        raise BadColumns("no facts were gathered yet")
    return what_if(columns, present_of(settings).rules.policies, candidates)


def register_of(settings: Settings, store: Store, journal: Journal) -> Register:
    """Who tells, at any time, which groups run."""
    return Register(store, journal, begun_with(settings))
