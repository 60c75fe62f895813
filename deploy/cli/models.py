"""What have the models learnt, how good are they, and what is the choice of offers worth?

From the command line.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from deploy.cli.tables import (
    print_arms,
    print_estimates,
    print_foreseen,
    print_funnel,
    print_models,
)
from deploy.policy_files import read_catalogue
from deploy.terminal import DataDir, Json, UserError, errors, progress, settings_of, show
from deploy.wiring import existing_journal, store_of

if TYPE_CHECKING:
    from deploy.settings import Settings
    from domain.envelope import Recorded
    from projections.models.learner import Learnt
    from projections.models.propensity import Model
    from replay.evaluation.foretold import Foreseen
    from streams.journal import Journal

Name = Annotated[
    str,
    typer.Argument(
        help=(
            "The model, as `tierfold models list` names it: an offer, foresight/churn, "
            "foresight/demand/wealth."
        )
    ),
]
OTHER = "Another catalogue: what its values, contexts and levers would have earned."
STRONGEST = 12
EVALUATED = "The model, as `tierfold models list` names it; without one, all that is foreseen."
HISTORY = (
    "What is foreseen, on this history instead of the journal: CloudEvents as JSON lines; - for "
    "standard input."
)


def list_models(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show every model that has learnt something.

    How good it was of late, and whether its loss has changed.
    """
    from projections.models.propensity import quality

    settings = settings_of(data_dir)
    names = sorted(_names(existing_journal(settings)))
    found = {
        name: quality(learnt.ready.model)._asdict() if learnt.ready else None
        for name, learnt in _live(settings, names).items()
    }
    if as_json:
        show(
            {
                "models": {
                    name: said and {**said, "last": str(said["last"])}
                    for name, said in found.items()
                }
            },
            as_json,
        )
    else:
        print_models(found)


def show_model(name: Name, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show one model: its digest, how good it was of late, and the weights that count most."""
    from projections.models.learner import MODEL
    from projections.models.propensity import quality, readable, weighed
    from projections.projection import digest

    model = _read(settings_of(data_dir), name)
    strongest = sorted(model.weights.items(), key=lambda each: -abs(weighed(*each)))[:STRONGEST]
    weights = {readable(key): weight for key, weight in strongest}
    said = {
        "model": name,
        "version": MODEL.key,
        "digest": digest([(f"model:{name}", MODEL.encode(model))]),
        **quality(model)._asdict(),
    }
    show(
        {
            **said,
            "last": str(model.last),
            "intercept": model.intercept,
            "weights": weights,
        },
        as_json,
    )


def evaluate(
    name: Annotated[str | None, typer.Argument(help=EVALUATED)] = None,
    history: Annotated[str | None, typer.Option("--history", help=HISTORY)] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Measure models by the journal, or by the history of any bank.

    With NAME: what that model said before each answer was known, beside what came, exactly. What
    was said when the offer was decided; where another model or version of it decided, or nobody,
    what this one would have said.

    Without NAME: how good it is to foresee leaving, wanting and the next balance, for everybody at
    each month's end, by models that learn on the way.
    """
    if name is None or history is not None:
        found = _foreseen(name, history, data_dir)
        if as_json:
            show({"models": [vars(each) for each in found]}, as_json)
        else:
            print_foreseen(found)
    else:
        _evaluated(name, data_dir, as_json=as_json)


def _foreseen(name: str | None, history: str | None, data_dir: Path | None) -> "list[Foreseen]":
    from projections.models.forecast import FORESEEN
    from replay.evaluation.foresight import ends, judge
    from replay.evaluation.foretold import measured
    from replay.history.from_file import recorded
    from streams.publish.bulk_feed import lines

    settings, left_out = settings_of(data_dir), Counter[str]()
    if name not in (None, *FORESEEN):
        raise UserError(f"{name} is not foreseen: {', '.join(FORESEEN)} are")
    with progress("events") as advance:
        if history is None:
            journal = existing_journal(settings)
            shards = [ends(_told(shard.events([]), advance)) for shard in journal]
        else:
            read = recorded(lines(history), lambda reason: left_out.update([reason]))
            shards = [ends(_told(read, advance))]
        names = FORESEEN if name is None else (name,)
        found = measured(judge(shards, read_catalogue(settings.catalogue).currency, names))
    if left_out:
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in left_out.most_common(3))
        errors.print(f"{left_out.total():,} messages cannot be read and were left out: {reasons}")
    if not found:
        raise UserError(
            "nothing could be foreseen: it takes some months of a bank whose days are closed, and "
            "customers who left or bought something"
        )
    return found


def _told(events: "Iterable[Recorded]", advance: Callable[[int], None]) -> "Iterator[Recorded]":
    for event in events:
        advance(1)
        yield event


def _evaluated(name: str, data_dir: Path | None, *, as_json: bool) -> None:
    from domain.offers.events import ExampleLabelled
    from projections.models.learner import MODEL, as_decided
    from projections.models.propensity import shared
    from replay.evaluation.metrics import alift, auc, calibration_error, log_loss, top_half

    likely, came, model = list[float](), list[bool](), MODEL.initial
    with progress("examples learnt") as advance:
        for event in _history(existing_journal(settings_of(data_dir)), name):
            if isinstance(example := event.data, ExampleLabelled):
                likely.append(as_decided(model, example, shared(example.features))[0])
                came.append(example.accepted)
            model = MODEL.evolve(model, event)
            advance(1)
    if not 0 < sum(came) < len(came):
        raise UserError(
            f"{name} has {sum(came)} yes among {len(came)} answers: there is nothing to measure yet"
        )
    found = {
        measure.__name__: measure(likely, came)
        for measure in (auc, alift, top_half, log_loss, calibration_error)
    }
    show({"model": name, "answers": len(came), "accepted": sum(came), **found}, as_json)


def rebuild(name: Name, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Learn a model anew from the journal, example by example, and compare it with the live one.

    They must be equal.
    """
    from projections.models.learner import MODEL
    from projections.projection import digest

    settings = settings_of(data_dir)
    live, stream, again = _learnt(settings, name), f"model:{name}", MODEL.initial
    with progress("examples learnt") as advance:
        for event in _history(existing_journal(settings), name):
            if event.position <= live.upto:
                again = MODEL.evolve(again, event)
                advance(1)
    assert live.ready is not None
    digests = {
        word: digest([(stream, MODEL.encode(model))])
        for word, model in (("live", live.ready.model), ("rebuilt", again))
    }
    show(
        {
            "model": name,
            "examples": again.examples,
            **digests,
            "equal": digests["live"] == digests["rebuilt"],
        },
        as_json,
    )
    if digests["live"] != digests["rebuilt"]:
        raise typer.Exit(1)


def value(
    catalogue: Annotated[Path | None, typer.Option("--catalogue", help=OTHER)] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Show what choosing is worth: the hold-out arms beside the usual, with intervals.

    And what another catalogue would have earned.
    """
    import msgspec

    from replay.evaluation.arms import arms_seen, outcomes, what_it_would_earn

    found = list(outcomes(existing_journal(settings_of(data_dir))))
    arms = arms_seen(found)
    other = what_it_would_earn(found, read_catalogue(catalogue)) if catalogue else []
    if as_json:
        print(
            msgspec.json.encode({"answered": len(found), "arms": arms, "other": other}).decode()
        )  # what is not a number is null
        return
    if not found:
        errors.print("No offer was answered yet: ask for next best offers, and send answers")
    print_arms(arms)
    print_estimates(other)


def show_funnel(
    days: Annotated[int, typer.Option("--days", min=1, help="Over how many days.")] = 1,
    sample: Annotated[
        int, typer.Option("--sample", min=1, help="How many decisions are looked at.")
    ] = 10_000,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Show where each offer fell away, and why, over the decisions of some days.

    A reason that was true of fewer than ten customers is not told by itself.
    """
    from replay.evaluation.funnel import funnel
    from replay.policies.window import Window

    settings = settings_of(data_dir)
    window = Window(datetime.now(ZoneInfo(settings.timezone)), days, sample)
    with progress("looked at", None) as advance:
        found = funnel(existing_journal(settings), window, advance)
    if as_json:
        show(asdict(found), as_json)
        return
    if not found.looked_at:
        errors.print(
            "Nothing was decided in these days: ask for next best offers, or take more --days"
        )
    print_funnel(found)


def _names(journal: "Journal") -> Iterator[str]:
    """Every model that has a stream."""
    for shard in journal:
        yield from (stream.removeprefix("model:") for stream in shard.streams("model"))


def _history(journal: "Journal", name: str) -> "Iterator[Recorded]":
    from replay.history.as_of import history
    from streams.broker.routing import shard_of

    return history(journal[shard_of(f"model:{name}", len(journal))], f"model:{name}")


def _read(settings: "Settings", name: str) -> "Model":
    ready = _learnt(settings, name).ready
    assert ready is not None
    return ready.model


def _learnt(settings: "Settings", name: str) -> "Learnt":
    found = _live(settings, [name])[name]
    if found.ready is None:
        raise UserError(
            f"the model {name} cannot be read: {found.broken}. `tierfold replay rebuild model "
            "--by NAME` learns it anew"
        )
    if not found.ready.model.examples:
        raise UserError(
            f"no model {name} has learnt anything: `tierfold models list` has those that have"
        )
    return found


def _live(settings: "Settings", names: list[str]) -> "dict[str, Learnt]":
    from deploy.active_groups import register_of
    from projections.redis import RedisError
    from streams.queries.lookups import Lookups

    async def read() -> Any:
        store = store_of(settings)
        try:
            await store.ping()
            return await Lookups(
                store, register_of(settings, store, existing_journal(settings)), settings.shards
            ).models(names)
        except RedisError as error:
            raise UserError(
                f"Redis at {settings.redis} does not answer: is the stack up?"
            ) from error
        finally:
            await store.close()

    found: dict[str, Learnt] = asyncio.run(read())
    return found
