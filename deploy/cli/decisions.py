"""Why was this offered, and would it be again? Decisions made once more from the command line."""

import random
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deploy.active_groups import begun_with
from deploy.cli.language import In
from deploy.cli.tables import print_because, print_decision
from deploy.reports.saying import Language
from deploy.terminal import DataDir, Json, UserError, progress, settings_of, show
from deploy.wiring import existing_journal

if TYPE_CHECKING:
    from domain.envelope import Recorded
    from replay.history.redecide import Decisions, Remade

DIFFERENT = 10
"""Decisions that are named where they came out otherwise."""


def explain_decision(
    decision: Annotated[str, typer.Argument(help="The decision's number.")],
    language: In = Language.EN,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say why something was offered.

    The decision as recorded, made once more from the journal, and compared byte for byte; what
    spoke for each offer and against it, and by what it is ahead of the next.
    """
    from replay.history.redecide import Decisions, Unknown

    settings = settings_of(data_dir)
    decisions = Decisions(existing_journal(settings), begun_with(settings))
    event = decisions.find(decision)
    if event is None:
        raise UserError(f"no decision {decision} is recorded")
    try:
        found, because = decisions.explained(event)
    except Unknown as error:
        raise UserError(f"it cannot be made once more: {error}") from error
    if as_json:
        show({**asdict(found), "because": [asdict(each) for each in because]}, as_json)
    else:
        print_decision(found)
        if because:
            print_because(because, language)
    if not found.equal:
        raise typer.Exit(1)


def verify_decisions(
    sample: Annotated[
        int, typer.Option("--sample", min=0, help="How many, drawn at random; 0: all.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 1,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Make decisions once more from the journal alone: each must come out the same,
    byte for byte.
    """
    from replay.history.redecide import Decisions

    settings = settings_of(data_dir)
    decisions = Decisions(existing_journal(settings), begun_with(settings))
    events = list(decisions.all())
    drawn = (
        random.Random(seed).sample(events, sample) if sample and sample < len(events) else events  # noqa: S311 - a draw with a seed
    )
    with progress("decisions made again", len(drawn)) as advance:
        report = verified(decisions, drawn, advance)
    show({"recorded": len(events), **report}, as_json)
    if report["different"] or report["unknown"]:
        raise typer.Exit(1)


def verified(
    decisions: "Decisions", events: "list[Recorded]", advance: Callable[[int], None]
) -> dict[str, Any]:
    """How many of these decisions come out the same, and which do not."""
    from replay.history.redecide import Forgotten, OtherRelease, Unknown

    begun, remade, unknown, forgotten, others = (
        time.monotonic(),
        list["Remade"](),
        list[str](),
        0,
        0,
    )
    for event in sorted(events, key=lambda event: event.recorded_at):
        try:
            remade.append(decisions.again(event))
        except Forgotten:
            forgotten += 1
        except OtherRelease:
            others += 1
        except Unknown as error:
            unknown.append(f"{event.id}: {error}")
        advance(1)
    different = [each for each in remade if not each.equal]
    return {
        "again": len(remade),
        "equal": len(remade) - len(different),
        "different": len(different),
        "unknown": len(unknown),
        "forgotten": forgotten,
        "by_other_releases": others,
        "why": unknown[:DIFFERENT],
        "which": [
            {
                "decision": each.decision,
                "shard": each.shard,
                "position": each.position,
                "fields": each.differs,
            }
            for each in different[:DIFFERENT]
        ],
        "seconds": round(time.monotonic() - begun, 1),
    }
