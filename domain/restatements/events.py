"""Which steps are there in the life of a restatement, and what do a customer's months come to?"""

from typing import Annotated

from pydantic import Field

from domain.accounts.ledger import Ledger
from domain.accounts.monthly_facts import MonthlyFacts
from domain.event import NOBODY, Identifier, Interaction, Line, Stream
from domain.households.events import MonthName
from domain.households.membership import Told
from domain.rollout.events import Digest
from domain.tiering.policy import SchemeName

STREAM = "policy:restatements"
"""The one stream that says which restatements there are."""
Customer = Annotated[Stream, Field(pattern=r"^customer:")]
StreamVersion = Annotated[int, Field(ge=1)]


class RestatementStep(Interaction):
    """A step in the life of a restatement, which is known by its name."""

    is_base = True

    concerns = ("policy",)
    senders = NOBODY
    restatement: Identifier


class RestatementProposed(RestatementStep):
    """Closed `months` are to count anew, with the events in place that came late.

    Of these `customers` (of none: of all), and of a batch that a core system sent: of one `source`,
    with ids that begin so. Reversals belong to the day of what they take back, but only where
    `reversals` are meant: else the money was there until it went.
    """

    months: Annotated[tuple[MonthName, ...], Field(min_length=1, max_length=120)]
    customers: Annotated[tuple[Customer, ...], Field(max_length=10_000)] = ()
    source: Line | None = None
    ids: Line | None = None
    reversals: bool = False
    reason: Line
    by: Identifier


class RestatementApproved(RestatementStep):
    """Somebody other than the proposer saw what it changes (a comparison, by its digest), and
    agrees.

    `upto` has the last position of each shard that was compared: what comes later is not meant.
    """

    report: Digest
    upto: tuple[Annotated[int, Field(ge=0)], ...]
    by: Identifier


class RestatementPromoted(RestatementStep):
    """The months count anew from now on, customer by customer, as it was approved: see `report`."""

    report: Digest
    by: Identifier


class RestatementRolledBack(RestatementStep):
    """The months count as they did before, customer by customer."""

    by: Identifier
    reason: Line


class RestatementApplied(RestatementStep):
    """The last promotion, or that it was `taken_back`, has reached all whose months it changes.

    But for those who cannot be read, because they are restricted or were forgotten: `left_out`.
    """

    taken_back: bool = False
    customers: Annotated[int, Field(ge=0)]
    left_out: Annotated[int, Field(ge=0)] = 0
    by: Identifier


class RestatementWithdrawn(RestatementStep):
    """It was proposed, and is not to be."""

    by: Identifier
    reason: Line


class MonthsRestated(Interaction):
    """What closed months of a customer come to, with late events in their place.

    By a restatement, or because it was `taken_back`. Holds as the event that follows the version
    `after` of the stream, if the bank has closed no month since `through`; the customer's books
    were closed through `books_through` then. `ledger` is as it would be by then, `rows` has the
    months that differ, and `gone` those that count no more. `placed` has the versions of all events
    that count where they belong. `told` is what households and groups came to, as it was told.
    `wrong` names, by scheme, the changes of tier that were told and would not have been.
    """

    senders = NOBODY
    customer_seen = False
    restatement: Identifier
    taken_back: bool = False
    after: StreamVersion
    through: MonthName
    books_through: MonthName | None
    placed: tuple[StreamVersion, ...]
    ledger: Ledger
    rows: tuple[MonthlyFacts, ...]
    gone: tuple[MonthName, ...] = ()
    told: dict[MonthName, tuple[Told, ...]] = Field(default_factory=dict)
    wrong: dict[SchemeName, tuple[Identifier, ...]] = Field(default_factory=dict)


STEPS = (
    RestatementProposed,
    RestatementApproved,
    RestatementPromoted,
    RestatementRolledBack,
    RestatementApplied,
    RestatementWithdrawn,
)
