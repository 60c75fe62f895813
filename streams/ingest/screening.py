"""What must not come in?

Passwords, biometrics and their like (C3 of JR/T 0171-2020): such an event is refused, and nothing
of it is kept. What cannot be believed is set aside.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, tzinfo

from domain.access.privacy_policy import PrivacyPolicy
from domain.bank.arrival_policy import ArrivalPolicy, Bounds
from domain.bank.events import DayClosed
from domain.customers.events import PreferenceStated, ProfileFactStated
from domain.envelope import REACTIONS, Proposed
from domain.event import Interaction
from domain.offers.events import ExampleLabelled
from streams.ingest.cloudevents import Item
from streams.journal import Rejected, Shard
from streams.policies.in_force import InForce

NAMED_BY_THE_SENDER: dict[type[Interaction], str] = {
    ProfileFactStated: "fact",
    PreferenceStated: "topic",
}
"""By event, the field with a name that its sender has thought of."""
SHORT = 4
"""Letters up to which a word must stand alone in a name: a shipping address has no PIN."""


class Screen:
    """Finds names that hold one of these words, as `login-password` or `userPin`.

    And what cannot be believed by an arrival policy, if there is one, in the bank's zone.
    """

    def __init__(
        self,
        words: Sequence[str],
        arrivals: ArrivalPolicy | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        self._arrivals = arrivals
        self._zone = zone
        self._today: date | None = None
        self._bounds: dict[type[Interaction], Bounds] = {}
        short = "|".join(re.escape(word) for word in words if len(word) <= SHORT)
        long = "|".join(re.escape(word) for word in words if len(word) > SHORT)
        alone = (
            rf"(?:(?<![A-Za-z])(?:{short})|(?<=[a-z])(?-i:{_capital(words)}))(?![a-z])"
            if short
            else r"(?!)"
        )
        self._named = re.compile(rf"{alone}|{long or '(?!)'}", re.IGNORECASE)
        self._names = re.compile(rb'"([^"\\]{1,200})"\s*:')

    def named(self, event: Proposed) -> Proposed:
        """An event under the name by which its source knows what it tells."""
        return event if self._arrivals is None else self._arrivals.named(event)

    def forbids(self, item: Item) -> bool:
        """Whether an event must not come in.

        A fact, preference or feature of such a name, or anything unreadable that has such a field.
        """
        if isinstance(item.read, Rejected):
            return any(
                self._named.search(name.decode("utf-8", "replace"))
                for name in self._names.findall(item.raw)
            )
        said = item.read.data
        if isinstance(said, ExampleLabelled) and item.read.source != REACTIONS:
            return any(map(self._named.search, said.features))
        field = NAMED_BY_THE_SENDER.get(type(said))
        return field is not None and self._named.search(getattr(said, field)) is not None

    def doubt(
        self, event: Proposed, now: datetime, closed: Callable[[date], date | None]
    ) -> Rejected | None:
        """Why an event that arrives `now` is not believed; None if it is.

        `closed` gives the last day that ended; it is asked where a day ends, of that day.
        """
        if self._arrivals is None:
            return None
        kind, today = type(event.data), now.astimezone(self._zone).date()
        if (bounds := self._bounds.get(kind)) is None or self._today != today:
            self._bounds = {} if self._today != today else self._bounds
            bounds = self._bounds[kind] = self._arrivals.bounds(kind, today)
            self._today = today
        last = closed(event.data.date) if isinstance(event.data, DayClosed) else None
        doubt = self._arrivals.doubt(event, bounds, last)
        return Rejected(*doubt) if doubt else None


class Screens:
    """The screen by the policies that hold just now, in the bank's zone."""

    def __init__(self, policies: InForce, zone: tzinfo) -> None:
        self._policies = policies
        self._zone = zone
        self._made: tuple[PrivacyPolicy, ArrivalPolicy, Screen] | None = None

    def __call__(self) -> Screen:
        """That screen, made anew where a policy has changed."""
        privacy, arrivals = self._policies.privacy, self._policies.arrivals
        if self._made is None or self._made[0] is not privacy or self._made[1] is not arrivals:
            self._made = privacy, arrivals, Screen(privacy.refused, arrivals, self._zone)
        return self._made[2]


def last_closed(shards: Iterable[Shard]) -> date | None:
    """The last day of the bank that ended, by what some shards have recorded."""
    return max(
        (
            event.data.date
            for shard in shards
            for event in shard.own()
            if isinstance(event.data, DayClosed)
        ),
        default=None,
    )


def _capital(words: Sequence[str]) -> str:
    return "|".join(re.escape(word.capitalize()) for word in words if len(word) <= SHORT)
