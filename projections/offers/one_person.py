"""What do the offers to several numbers come to, as those to one person?"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from domain.offers.contact_policy import KEPT, Contacts
from projections.customers.one_person import best_of, merged_dicts, summed_dicts
from projections.offers.responses import Death, Offers

NONE = Offers()
"""Of whom nothing was offered; beside others it says nothing."""


def offers_together(of_each: Sequence[Offers]) -> Offers:
    """All open decisions, answers and contacts: a cap counts those of every number."""
    some = [each for each in of_each if each != NONE]
    if len(some) < 2:
        return (some or of_each)[0]
    contacts = [each.contacts for each in of_each]
    return Offers(
        open=merged_dicts(each.open for each in of_each),
        accepted=summed_dicts(each.accepted for each in of_each),
        declined=summed_dicts(each.declined for each in of_each),
        accepted_at=best_of((each.accepted_at for each in of_each), max),
        contacts=Contacts(
            made=_latest(each.made for each in contacts),
            held=merged_dicts(each.held for each in contacts),
            outcomes=_latest(each.outcomes for each in contacts),
        ),
        died=max((each.died for each in of_each if each.died), key=_latest_death, default=None),
        households=tuple(sorted({name for each in of_each for name in each.households})),
    )


def _latest_death(death: Death) -> tuple[datetime, bool]:
    return death.at, death.so


def _latest(of_each: Iterable[Mapping[str, tuple[Any, ...]]]) -> dict[str, tuple[Any, ...]]:
    """What is remembered by name of every number, oldest first, as much as of one."""
    found: dict[str, list[Any]] = {}
    for some in of_each:
        for name, remembered in some.items():
            found.setdefault(name, []).extend(remembered)
    return {name: tuple(sorted(some)[-KEPT:]) for name, some in found.items()}
