"""How good is what is foreseen? Leaving, wanting and the next balance, on any bank's history.

Everybody is foreseen by the models of each month's end, and judged when it has come or not. The
models learn what the live ones learn: from the same sample of customers.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from domain.calendar import Month, month_before, month_of
from domain.envelope import Recorded
from domain.offers.events import ExampleLabelled
from projections.customers.group import CUSTOMERS
from projections.customers.states import Facts
from projections.models.forecast import (
    AHEAD,
    CHURN,
    FORESEEN,
    Known,
    expected,
    held_in,
    learning,
    taught,
)
from projections.models.learner import MODEL
from projections.models.propensity import Model, Ready, shared


class Ended(NamedTuple):
    """A month that ended, by the event that said so, and what is known of each customer then."""

    event: Recorded
    month: Month
    known: dict[str, Facts]


class Judged(NamedTuple):
    """What was said of a customer at a month's end, and what came of it.

    `usual` is the share of yes by then; `by` is the model that said it, of the `example`.
    """

    model: str
    month: Month
    said: float
    usual: float
    example: ExampleLabelled
    by: Ready


class Missed(NamedTuple):
    """By how much the next balance was missed, in minor units: as foreseen, and as it was."""

    foreseen: int
    unchanged: int


def ends(events: Iterable[Recorded]) -> Iterator[Ended]:
    """The ends of months of a shard, from its events in order."""
    known: dict[str, Any] = {}
    assert CUSTOMERS.context is not None
    bank = CUSTOMERS.context.initial
    for event in events:
        if CUSTOMERS.concerned(event.stream):
            known[event.stream] = CUSTOMERS.evolve(
                known.get(event.stream, CUSTOMERS.initial), event
            )
            continue
        bank = CUSTOMERS.context.evolve(bank, event)
        if CUSTOMERS.hears(event):
            told = event._replace(context=bank)
            known = {stream: CUSTOMERS.evolve(facts, told) for stream, facts in known.items()}
            if bank.closed_at == event.position:
                yield Ended(event, month_of(event.data.date), known)  # type: ignore[attr-defined]


def judge(
    shards: Sequence[Iterator[Ended]], currency: str, names: Sequence[str] = FORESEEN
) -> Iterator[Judged | Missed]:
    """Go through the ends of months of all shards together, and judge what was foreseen."""
    models = dict.fromkeys(names, MODEL.initial)
    then: dict[Month, dict[str, Ready]] = {}
    for of_shards in zip(*shards, strict=False):
        month, learnt = of_shards[0].month, list[tuple[str, ExampleLabelled]]()
        for ended in of_shards:
            for stream, facts in ended.known.items():
                who = Known(facts.months.rows, facts.experience)
                if month not in who.rows:
                    continue
                sample, day = learning(stream, month), ended.event.business_date
                for name, example in taught(stream, who, month, day, names):
                    yield from _judged(name, example, _before(name, month), then)
                    learnt += [(name, example)] if name in sample else []
                yield from _missed(who, month, currency)
        for name, example in learnt:
            models[name] = _taught(models[name], example, of_shards[0].event)
        then[month] = {name: Ready(model) for name, model in models.items()}
        then.pop(_before(CHURN, month), None)


def _before(name: str, month: Month) -> Month:
    """The month at whose end something was foreseen, of which the truth is known at another's."""
    for _ in range(AHEAD if name == CHURN else 1):
        month = month_before(month)
    return month


def _judged(
    name: str, example: ExampleLabelled, month: Month, then: dict[Month, dict[str, Ready]]
) -> Iterator[Judged]:
    by = then.get(month, {}).get(name)
    if by is not None and by.model.examples:
        said, _ = by.said(shared(example.features))
        usual = by.model.accepted / by.model.examples
        yield Judged(name, month, said, usual, example, by)


def _missed(who: Known, month: Month, currency: str) -> Iterator[Missed]:
    earlier = {name: row for name, row in who.rows.items() if name < month}
    if (was := expected(earlier, currency)) is not None:
        now, before = held_in(who.rows[month], currency), held_in(earlier[was.after], currency)
        if now or before:
            yield Missed(abs(now - was.balance), abs(now - before))


def _taught(model: Model, example: ExampleLabelled, event: Recorded) -> Model:
    return MODEL.evolve(model, event._replace(version=model.version + 1, data=example))
