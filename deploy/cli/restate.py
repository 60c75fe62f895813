"""How do closed months count anew, with what came late in its place, from the command line?"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.table import Table

from deploy.cli.who import by
from deploy.terminal import DataDir, Json, UserError, settings_of, show

if TYPE_CHECKING:
    from domain.restatements.lifecycle import Restatement
    from replay.restatements.compare import Report

SHOWN = 10
Name = Annotated[str, typer.Argument(help="The restatement, as `tierfold restate list` names it.")]
By = Annotated[str, by("Who decides this.", "tier-owner")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]


def propose(
    name: Annotated[str, typer.Argument(help="What to call it: letters, digits, - and so on.")],
    month: Annotated[
        list[str],
        typer.Option("--month", help="A closed month, YYYY-MM; several times for several."),
    ],
    by: By,
    reason: Reason,
    customer: Annotated[
        list[str] | None,
        typer.Option(
            "--customer", help="A customer, without `customer:`; several times; all if none."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Only what this source sent.")
    ] = None,
    ids: Annotated[
        str | None, typer.Option("--ids", help="Only events whose ids begin so: a batch.")
    ] = None,
    reversals: Annotated[
        bool,
        typer.Option("--reversals", help="Also reversals, on the day of what they take back."),
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Propose that closed months count anew, with the events in place that came late.

    Nothing changes by it: compare, and let somebody else approve.
    """
    from deploy.operations.rollout import run
    from domain.restatements.events import RestatementProposed
    from replay.restatements import commands

    said = RestatementProposed(
        restatement=name,
        months=tuple(sorted(set(month))),
        customers=tuple(sorted({f"customer:{each}" for each in customer or ()})),
        source=source,
        ids=ids,
        reversals=reversals,
        reason=reason,
        by=by,
    )
    show(run(settings_of(data_dir), lambda deps: commands.propose(deps, said)), as_json)


def list_restatements(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List restatements: what each is about, who decided, how far it is."""
    from deploy.wiring import existing_journal
    from streams.folds.restatements import restatements

    known = restatements(existing_journal(settings_of(data_dir))).known
    if as_json:
        show({"restatements": {name: asdict(each) for name, each in known.items()}}, as_json)
        return
    table = Table("restatement", "months", "of", "state", "by", "approved by", "customers", "why")
    for name, each in known.items():
        table.add_row(name, *_row(each))
    Console(markup=False, highlight=False).print(table)


def compare(name: Name, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Show what a restatement would change.

    Whose months, who moves, what was told wrongly, and what becomes of the yearly fees.
    """
    from deploy.operations.rollout import run
    from replay.restatements import commands

    found = run(settings_of(data_dir), lambda deps: commands.compare(deps, name))
    if as_json:
        show({**to_jsonable_python(asdict(found)), "digest": found.digest}, as_json)
    else:
        _print(found)


def approve(
    name: Name,
    by: By,
    report: Annotated[
        str, typer.Option("--report", help="The digest of the comparison, as `compare` prints it.")
    ],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Agree to a restatement, having seen what it changes. Whoever brought it cannot."""
    from deploy.operations.rollout import run
    from replay.restatements import commands

    found = run(settings_of(data_dir), lambda deps: commands.approve(deps, name, report, by))
    show(found, as_json)


def promote(name: Name, by: By, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Let the months count anew, customer by customer; what was cut off goes on.

    The agents record a change of tier for everybody whom it moves.
    """
    from deploy.operations.rollout import run
    from replay.restatements import commands

    show(run(settings_of(data_dir), lambda deps: commands.promote(deps, name, by)), as_json)


def roll_back(
    name: Name, by: By, reason: Reason, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Let the months count as they did before; what was cut off goes on."""
    from deploy.operations.rollout import run
    from replay.restatements import commands

    found = run(settings_of(data_dir), lambda deps: commands.roll_back(deps, name, by, reason))
    show(found, as_json)


def withdraw(
    name: Name, by: By, reason: Reason, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Let a restatement be that was proposed."""
    from deploy.operations.rollout import run
    from replay.restatements import commands

    found = run(settings_of(data_dir), lambda deps: commands.withdraw(deps, name, by, reason))
    show(found, as_json)


def verify(name: Name, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Compute from history again what a restatement recorded of each customer.

    Exit code 1 if anything differs.
    """
    from deploy.terminal import progress
    from deploy.wiring import existing_journal
    from replay.restatements.verify import verified
    from streams.folds.restatements import restatements

    journal = existing_journal(settings_of(data_dir))
    known = restatements(journal).known
    if name not in known:
        raise UserError(f"there is no restatement {name}")
    with progress("customers verified") as advance:
        found = verified(journal, name, known[name], advance)
    show(found._asdict(), as_json)
    if found.differ or not found.all_reached:
        raise typer.Exit(1)


def _row(each: "Restatement") -> list[str]:
    scope = each.scope
    of = [f"{len(scope.customers):,} customers" if scope.customers else "all"]
    of += [said for said in (scope.source, scope.ids) if said]
    return [
        ", ".join(scope.months),
        ", ".join(of),
        f"{each.state}, not all reached" if each.is_unfinished else each.state,
        each.by,
        ", ".join(approval.by for approval in each.approvals),
        "" if each.applied is None else f"{each.applied:,}",
        each.reason,
    ]


def _print(found: "Report") -> None:
    console = Console(markup=False, highlight=False)
    steps = Table(
        "scheme",
        "from",
        "to",
        "customers",
        "change of yearly fees (minor units)",
        title=(
            f"{found.restatement}: {', '.join(found.months)} of {found.customers:,} customers, by "
            f"{found.events:,} late events"
        ),
    )
    for step in found.steps:
        steps.add_row(step.scheme, *_tiers(step), f"{step.customers:,}", f"{step.fees:,}")
    console.print(steps)
    movers = Table("customer", "scheme", "from", "to", "told wrongly", title="the first who move")
    for mover in found.movers[:SHOWN]:
        movers.add_row(mover.customer, mover.scheme, *_tiers(mover), str(mover.wrong))
    if found.movers:
        console.print(movers)
    console.print(
        f"{found.wrong:,} changes of tier were told to {found.told_wrongly:,} customers that would "
        "not have been"
    )
    console.print(f"report digest {found.digest}", soft_wrap=True)


def _tiers(each: Any) -> tuple[str, str]:
    return each.before or "unassessed", each.after or "unassessed"
