"""How is another version brought, compared, approved and made live from the command line? And how does one go back?"""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.tables import print_comparison
from deploy.cli.what_if import Csv, Html, Parquet, replay
from deploy.policy_files import read_policy
from deploy.terminal import DataDir, Json, settings_of, show

__all__ = ["replay"]


class Engine(StrEnum):
    """Who folds: the running agents, each the shards that it owns, or processes of this machine."""

    AGENTS = "agents"
    LOCAL = "local"


class Projected(StrEnum):
    """The projections that have versions; those that are folded together are rebuilt together."""

    PROFILE = "profile"
    LEDGER = "ledger"
    MONTHS = "months"
    TIER = "tier"
    OFFERS = "offers"
    MODEL = "model"
    WHOLE = "whole"


Of = Annotated[Projected, typer.Option("--of", help="Of which projection.")]
Name = Annotated[str, typer.Argument(help="The version, as `tierfold replay versions` names it.")]
By = Annotated[str, typer.Option("--by", help="Who decides this.")]
Rate = Annotated[int, typer.Option("--rate", min=0, help="How many customers a second are told that their tier changed; 0 tells nobody.")]


@replay.command()
def versions(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the versions of every group: which is live, which was before, who approved, how far each is."""
    from deploy.operations.rollout import listed, run

    found = run(settings_of(data_dir), listed)
    if as_json:
        show(found, as_json)
    else:
        Console(markup=False, highlight=False).print(_table(found))


@replay.command()
def rebuild(
    projection: Annotated[Projected, typer.Argument(help="Which projection; those that are folded together are rebuilt together.")],
    by: By,
    policy: Annotated[Path | None, typer.Option("--policy", help="For tiers: another tier policy, YAML or JSON.")] = None,
    engine: Annotated[Engine, typer.Option("--engine", help="Who folds.")] = Engine.AGENTS,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Fold history into a new version beside the live one; both are carried forward.

    Processes of this machine that were killed go on where they were when it is begun again; agents go on by themselves.
    """
    from deploy.operations.rollout import rebuilt, run

    if policy is not None and projection is not Projected.TIER:
        raise typer.BadParameter("--policy is for tiers: no other projection knows a policy")
    said = read_policy(policy) if policy else None
    show(run(settings_of(data_dir), lambda doors: rebuilt(doors, projection, said, by, here=engine is Engine.LOCAL)), as_json)


@replay.command()
def compare(
    old: Annotated[str, typer.Argument(help="A version of tiers, or `live`.")],
    new: Annotated[str, typer.Argument(help="Another one.")],
    html: Html = None,
    csv: Csv = None,
    parquet: Parquet = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Compare two versions of tiers that are carried, at one common position: who stands where, who moves, and why."""
    from deploy.operations.rollout import compare, run
    from deploy.reports.comparison import write

    found = run(settings_of(data_dir), lambda doors: compare(doors, old, new))
    write([found], None, html, csv, parquet)
    if as_json:
        show({**asdict(found), "digest": found.digest}, as_json)
    else:
        print_comparison(found)


@replay.command()
def approve(
    version: Name,
    by: By,
    report: Annotated[str, typer.Option("--report", help="The digest of the comparison with the live version, as `compare` prints it.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Agree to a version, having seen what it changes. Whoever brought it, or wrote its policy, cannot."""
    from deploy.operations.rollout import approved, run

    show(run(settings_of(data_dir), lambda doors: approved(doors, version, report, by)), as_json)


@replay.command()
def promote(version: Name, by: By, rate: Rate = 100, of: Of = Projected.TIER, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Let readers see a version, at once and all of it; then tell those whose tier changed, at a rate."""
    from deploy.operations.rollout import promoted, run

    show(run(settings_of(data_dir), lambda doors: promoted(doors, of, version, by, rate)), as_json)


@replay.command("roll-back")
def roll_back(
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    rate: Rate = 100,
    of: Of = Projected.TIER,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let readers see the version before again; then tell those who had been told of another tier."""
    from deploy.operations.rollout import rolled_back, run

    show(run(settings_of(data_dir), lambda doors: rolled_back(doors, of, by, reason, rate)), as_json)


@replay.command()
def announce(by: By, rate: Rate = 100, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Go on telling those whom the last switch moved, where that was interrupted."""
    from deploy.operations.rollout import announced, run

    show({"told": run(settings_of(data_dir), lambda doors: announced(doors, by, rate))}, as_json)


@replay.command()
def verify(
    sample: Annotated[int | None, typer.Option("--sample", min=1, help="Look at the states of so many streams a shard and group; all, if not said.")] = None,
    ranges: Annotated[bool, typer.Option("--ranges", help="Also show count and digest of every range of positions.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Hold every event to what was noted when it came, and every live state to its own history. Exit code 1 if anything differs."""
    from deploy.operations.rollout import run, verified

    found = run(settings_of(data_dir), lambda doors: verified(doors, sample, ranges=ranges))
    if as_json:
        show(found, as_json)
    else:
        Console(markup=False, highlight=False).print(_findings(found))
        for each in found.get("ranges", ()):
            print(f"shard {each['shard']} {each['after'] + 1:>10} to {each['upto']:>10}: {each['events']:>6} events, {each['digest']}")
    if found["found"]:
        raise typer.Exit(1)


@replay.command()
def withdraw(version: Name, by: By, of: Of = Projected.TIER, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Carry a version no longer, and remove its states; what it was stays in the journal."""
    from deploy.operations.rollout import run, withdrawn

    show(run(settings_of(data_dir), lambda doors: withdrawn(doors, of, version, by)), as_json)


def _findings(found: dict[str, Any]) -> Table:
    table = Table(
        "kind", "shard", "where", "what is wrong", title=f"{found['events']:,} events and {found['states']:,} states verified: {found['found']:,} wrong"
    )
    for kind, shard, where, said in found["findings"]:
        table.add_row(kind, str(shard), where, said)
    return table


def _table(found: dict[str, Any]) -> Table:
    table = Table("group", "version", "", "brought by", "approved by", "events behind")
    for group, lineup in found["groups"].items():
        for name, version in lineup["versions"].items():
            role = "live" if name == lineup["live"] else "before" if name == lineup["before"] else ""
            lag = found["behind"].get(group if name == "original" else f"{group}/{name}", "")
            table.add_row(group, name, role, version["by"], ", ".join(each["by"] for each in version["approvals"]), str(lag))
    return table
