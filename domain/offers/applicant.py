"""Who is asked for, and what is known of them at that moment?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from domain.event import Channel
from domain.offers.catalogue import Catalogue
from domain.offers.contact_policy import Contacts, taken
from domain.rules.conditions import Case


class Consented(NamedTuple):
    """What the customer said of a purpose, and when."""

    granted: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the funnel knows of a customer at a moment.

    `age` in full years; `grade` is `C1`..`C5`, and None if none was ever assessed; `graded_until`
    the last day it holds. `consents` go by purpose, or `purpose/channel`; `accepted` has the last
    acceptance of each offer. `household` has the contacts of the households that the customer
    belongs to. `barred` says why nothing at all is offered, and `unreachable` has the channels for
    which no address is known. `case` gives what conditions are asked of.
    """

    stream: str
    kind: str
    tier: str | None
    now: datetime
    today: date
    age: int | None = None
    region: str | None = None
    segment: str | None = None
    stage: str = "active"
    grade: str | None = None
    graded_until: date | None = None
    holdings: frozenset[str] = frozenset()
    consents: Mapping[str, Consented] = field(default_factory=dict)
    accepted: Mapping[str, datetime] = field(default_factory=dict)
    contacts: Contacts = field(default_factory=Contacts)
    household: tuple[Contacts, ...] = ()
    case: Callable[[], Case] | None = None
    barred: str | None = None
    unreachable: frozenset[str] = frozenset()


class Asking:
    """Who is asked for, and on which channel.

    `full` has the numbers of the caps that somebody else has just used up.

    What is the same for every offer is found out once.
    """

    def __init__(
        self, catalogue: Catalogue, who: Applicant, channel: Channel, full: tuple[int, ...] = ()
    ) -> None:
        self.catalogue = catalogue
        self.who = who
        self.channel = channel
        self._full = full
        self._agreed: dict[str, bool] = {}

    def agreed(self, purpose: str) -> bool:
        """Whether the customer agrees to a purpose on this channel."""
        if purpose not in self._agreed:
            self._agreed[purpose] = agrees(
                self.who, purpose, self.channel, opt_in=purpose in self.catalogue.consent.opt_in
            )
        return self._agreed[purpose]

    @cached_property
    def case(self) -> Case:
        """What conditions are asked of."""
        assert self.who.case is not None
        return self.who.case()

    @cached_property
    def often_enough(self) -> str | None:
        """Which cap is reached on this channel."""
        for number, cap in enumerate(self.catalogue.contact.caps):
            if self.channel in cap.channels:
                everybody = (
                    (self.who.contacts,)
                    if cap.of == "customer"
                    else (self.who.contacts, *self.who.household)
                )
                if number in self._full or len(taken(cap, everybody, self.who.now)) >= cap.at_most:
                    return f"contacted often enough: {cap}"
        return None

    @cached_property
    def cooling(self) -> str | None:
        """After which acceptance of a private product the time for second thoughts is not over."""
        hours = timedelta(hours=self.catalogue.cooling_off_hours)
        private = (offer.offer for offer in self.catalogue.offers if offer.private)
        return next(
            (
                name
                for name in private
                if (at := self.who.accepted.get(name)) is not None and self.who.now < at + hours
            ),
            None,
        )


def agrees(who: Applicant, purpose: str, channel: str, *, opt_in: bool) -> bool:
    """Whether the customer agrees to a purpose on a channel.

    What was said last counts, and of one moment the no.
    """
    said = [
        each
        for key in (purpose, f"{purpose}/{channel}")
        if (each := who.consents.get(key)) is not None
    ]
    if not said:
        return not opt_in
    return min(said, key=lambda each: (-each.at.timestamp(), each.granted)).granted
