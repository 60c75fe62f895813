"""How often may a customer be contacted, and when is an offer hidden?

The published defaults, as data.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.event import Channel
from domain.fastcopy import changed

KEPT = 50
"""Contacts on one channel, and answers of one kind to one offer, that are remembered.

No rule asks for more.
"""
A_DAY = timedelta(days=1)
Outcome = Literal["declined", "lapsed"]


class Cap(BaseModel):
    """At most so many contacts on these channels together within so many days, of a customer or of
    a whole household.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    at_most: Annotated[int, Field(ge=0, le=KEPT)]
    days: Annotated[int, Field(ge=1, le=366)] = 7
    of: Literal["customer", "household"] = "customer"

    def __str__(self) -> str:
        """As a person would say it."""
        return (
            f"at most {self.at_most} in {self.days} days on {', '.join(self.channels)}, of a "
            f"{self.of}"
        )


class Suppression(BaseModel):
    """An offer that was answered so, so many times within so many days, is hidden for
    so many days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    outcome: Outcome
    times: Annotated[int, Field(ge=1, le=10)]
    within_days: Annotated[int, Field(ge=1, le=366)]
    hide_days: Annotated[int, Field(ge=1, le=366)]

    @model_validator(mode="after")
    def _remembered(self) -> Self:
        if self.hide_days > self.within_days * (KEPT // self.times - 1):
            raise ValueError(
                f"an offer cannot be hidden for {self.hide_days} days: {KEPT} answers are "
                "remembered"
            )
        return self


class ContactPolicy(BaseModel):
    """Caps and suppression.

    A decision on a capped channel holds a place until it is shown, `present_minutes` at most.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    caps: tuple[Cap, ...] = (Cap(channels=("email",), at_most=1), Cap(channels=("sms",), at_most=1))
    suppression: tuple[Suppression, ...] = (
        Suppression(outcome="lapsed", times=2, within_days=30, hide_days=60),
        Suppression(outcome="declined", times=2, within_days=15, hide_days=30),
    )
    outbound: tuple[Channel, ...] = ("email", "sms", "push", "call", "social")
    present_minutes: Annotated[int, Field(ge=1, le=24 * 60)] = 15

    def on(self, channel: str) -> list[Cap]:
        """The caps that a contact on a channel counts for."""
        return [cap for cap in self.caps if channel in cap.channels]


class Contact(NamedTuple):
    """A contact: when, and by which decision or event."""

    at: datetime
    name: str


class Slot(NamedTuple):
    """A place that a decision holds until it is shown, or until its time is over."""

    channel: str
    until: datetime


@dataclass(frozen=True)
class Contacts:
    """The latest contacts by channel, oldest first; the places held by decisions.

    When which offer was declined or lapsed, by `outcome/offer`.
    """

    made: dict[str, tuple[Contact, ...]] = field(default_factory=dict)
    held: dict[str, Slot] = field(default_factory=dict)
    outcomes: dict[str, tuple[datetime, ...]] = field(default_factory=dict)


def contacted(contacts: Contacts, channel: str, at: datetime, name: str) -> Contacts:
    """The contacts after one more, unless it is older than all that are remembered.

    Whoever held a place under this name has taken it.
    """
    known = contacts.made.get(channel, ())
    if any(contact.name == name for contact in known) or (
        len(known) == KEPT and Contact(at, name) < known[0]
    ):
        return contacts
    latest = tuple(sorted((*known, Contact(at, name)))[-KEPT:])
    return changed(
        contacts, made={**contacts.made, channel: latest}, held=_without(contacts.held, name)
    )


def same_contact(contacts: Contacts, channel: str, at: datetime, name: str) -> bool:
    """Whether this was contacted under this name on this channel, not more than a day away.

    Several offers in one message are one contact.
    """
    return any(
        contact.name == name and abs(contact.at - at) <= A_DAY
        for contact in contacts.made.get(channel, ())
    )


def holding(contacts: Contacts, decision: str, channel: str, until: datetime) -> Contacts:
    """The contacts after a decision that holds a place; the places that end last are remembered."""
    held = {**contacts.held, decision: Slot(channel, until)}
    if len(held) > KEPT:
        held = _without(held, min(held, key=lambda name: (held[name].until, name)))
    return changed(contacts, held=held)


def answered(contacts: Contacts, outcome: Outcome, offer: str, at: datetime) -> Contacts:
    """The contacts after an offer was declined, or lapsed."""
    key = f"{outcome}/{offer}"
    latest = tuple(sorted((*contacts.outcomes.get(key, ()), at))[-KEPT:])
    return changed(contacts, outcomes={**contacts.outcomes, key: latest})


def taken(cap: Cap, everybody: Iterable[Contacts], now: datetime) -> set[tuple[str, str]]:
    """Which contacts and decisions count for a cap now, by channel and name."""
    since = now - timedelta(days=cap.days)
    return {counted for contacts in everybody for counted in _counting(cap, contacts, since, now)}


def _counting(
    cap: Cap, contacts: Contacts, since: datetime, now: datetime
) -> Iterator[tuple[str, str]]:
    for channel in cap.channels:
        yield from (
            (channel, contact.name)
            for contact in contacts.made.get(channel, ())
            if contact.at > since
        )
    yield from (
        (place.channel, name)
        for name, place in contacts.held.items()
        if place.channel in cap.channels and place.until > now
    )


def hidden_until(
    policy: ContactPolicy, contacts: Contacts, offer: str
) -> tuple[datetime, Suppression] | None:
    """Until when an offer is hidden by its answers, and by which rule; None if it never was.

    >>> from datetime import UTC
    >>> twice = Contacts(outcomes={"declined/fund": (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))})
    >>> hidden_until(ContactPolicy(), twice, "fund")[0].isoformat()
    '2026-04-08T00:00:00+00:00'
    """  # noqa: E501
    found = [
        (last + timedelta(days=rule.hide_days), rule)
        for rule in policy.suppression
        for first, last in _windows(
            contacts.outcomes.get(f"{rule.outcome}/{offer}", ()), rule.times
        )
        if last - first <= timedelta(days=rule.within_days)
    ]
    return max(found, key=lambda each: each[0], default=None)


def _windows(times: tuple[datetime, ...], length: int) -> Iterator[tuple[datetime, datetime]]:
    return zip(times, islice(times, length - 1, None), strict=False)


def _without(held: Mapping[str, Slot], name: str) -> dict[str, Slot]:
    return {key: place for key, place in held.items() if key != name}
