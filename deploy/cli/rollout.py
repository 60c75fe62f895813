"""How is another version brought, compared, approved and made live from the command line?

And how does one go back?
"""

from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.tables import print_comparison, print_policies, print_reordered
from deploy.cli.what_if import Csv, Html, Parquet
from deploy.cli.who import by, decided_by
from deploy.policy_files import read_policy
from deploy.terminal import DataDir, Json, progress, settings_of, show
from domain.rollout.lifecycle import OWNERS
from projections.registry import REBUILT

if TYPE_CHECKING:
    from replay.policies.compare_policies import PolicyCompared
    from replay.rollout.bank import RolloutDependencies
    from replay.rollout.compare_orders import Reordered
    from replay.what_if.compare import Comparison


class Engine(StrEnum):
    """Who folds: the running agents, each the shards that it owns, or processes of this machine."""

    AGENTS = "agents"
    LOCAL = "local"


Projected = StrEnum("Projected", {name.upper(): name for name in REBUILT})  # type: ignore[misc]
Versioned = StrEnum(  # type: ignore[misc]
    "Versioned", {name.upper(): name for name in dict.fromkeys((*REBUILT, *OWNERS))}
)
TIER = Versioned("tier")
Of = Annotated[Versioned, typer.Option("--of", help="Of which projection or policy.")]
Name = Annotated[str, typer.Argument(help="The version, as `tierfold replay versions` names it.")]
By = Annotated[str, by("Who decides this.", "tier-owner")]
ByRole = Annotated[
    str, typer.Option("--by", help="Who decides this.", show_default="who is logged in")
]
Days = Annotated[
    int, typer.Option("--days", min=1, help="Of policies: over how many days of history.")
]
Sample = Annotated[
    int,
    typer.Option(
        "--sample", min=1, help="Of policies: how many decisions or arrivals are looked at."
    ),
]
Scheme = Annotated[
    str | None,
    typer.Option(
        "--scheme", help="Of tiers: of which scheme; that which the bank began with, if not said."
    ),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait",
        help="Wait until all changes of tier are recorded; `announce` waits later.",
    ),
]


def versions(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List the versions of every group.

    Which is live, which was before, who approved, how far each is.
    """
    from deploy.operations.rollout import run
    from replay.rollout.commands import lineups

    found = run(settings_of(data_dir), lineups)
    if as_json:
        show(found, as_json)
    else:
        Console(markup=False, highlight=False).print(_table(found))


def rebuild(
    projection: Annotated[
        Projected,
        typer.Argument(
            help="Which projection; those that are folded together are rebuilt together."
        ),
    ],
    by: By,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", help="For tiers: another tier policy. YAML or JSON."),
    ] = None,
    engine: Annotated[Engine, typer.Option("--engine", help="Who folds.")] = Engine.AGENTS,
    scheme: Scheme = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Fold history into a new version beside the live one; both are carried forward.

    A tier policy of another scheme becomes a version of that one.

    Processes of this machine that were killed go on where they were when it is begun again; agents
    go on by themselves.
    """
    from deploy.operations.rollout import refill_of, run
    from replay.rollout import rebuilding

    settings = settings_of(data_dir)
    if policy is not None and projection.value != TIER.value:
        raise typer.BadParameter("--policy is for tiers: no other projection knows a policy")
    said = read_policy(policy) if policy else None

    async def act(deps: "RolloutDependencies") -> dict[str, Any]:
        refill = partial(refill_of, settings, deps) if engine is Engine.LOCAL else None
        return await rebuilding.rebuild(deps, projection, said, by, refill, scheme)

    show(run(settings, act), as_json)


def compare(
    old: Annotated[str, typer.Argument(help="A version of tiers or of a policy, or `live`.")],
    new: Annotated[str, typer.Argument(help="Another one.")],
    html: Html = None,
    csv: Csv = None,
    parquet: Parquet = None,
    of: Annotated[
        Versioned | None,
        typer.Option("--of", help="Of which projection or policy, if a name is that of several."),
    ] = None,
    days: Days = 30,
    sample: Sample = 2_000,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Compare two versions of tiers that are carried, at one common position.

    Who stands where, who moves, and why. Of the precedence: whose tier counts from where. Of other
    policies: where they differ, and what that changes over the days before the newer one was
    brought.
    """
    from deploy.operations.rollout import run
    from deploy.reports.comparison import write
    from replay.rollout import comparing
    from replay.what_if.compare import Comparison

    tried = comparing.Tried(days, sample)
    found = run(settings_of(data_dir), lambda deps: comparing.compare(deps, old, new, tried, of))
    if isinstance(found, Comparison):
        write([found], None, html, csv, parquet)
    elif html or csv or parquet:
        raise typer.BadParameter("only tiers are written as HTML, CSV or Parquet")
    if as_json:
        show({**asdict(found), "digest": found.digest}, as_json)
    else:
        _print(found)


def _print(found: "Comparison | Reordered | PolicyCompared") -> None:
    from replay.rollout.compare_orders import Reordered
    from replay.what_if.compare import Comparison

    if isinstance(found, Comparison):
        print_comparison(found)
    elif isinstance(found, Reordered):
        print_reordered(found)
    else:
        print_policies(found)


def _decider(data_dir: Path | None, said: str, of: str) -> str:
    """By whom a version of something is decided about, in the role for it."""
    return decided_by(settings_of(data_dir), said, OWNERS.get(of, "tier-owner"))


def approve(
    version: Name,
    report: Annotated[
        str,
        typer.Option(
            "--report",
            help="The digest of the comparison with the live version, as `compare` prints it.",
        ),
    ],
    by: ByRole = "",
    of: Of = TIER,
    days: Days = 30,
    sample: Sample = 2_000,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Agree to a version, having seen what it changes.

    Whoever brought it, or wrote its policy, cannot. What was compared over other --days or another
    --sample is approved with these.
    """
    from deploy.operations.rollout import run
    from replay.rollout import commands, comparing

    who, tried = _decider(data_dir, by, of), comparing.Tried(days, sample)
    show(
        run(
            settings_of(data_dir),
            lambda deps: commands.approve(deps, of, version, report, who, tried),
        ),
        as_json,
    )


def promote(
    version: Name,
    by: ByRole = "",
    wait: Wait = True,
    of: Of = TIER,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let readers see a version, at once and all of it.

    The agents record a change of tier for everybody whom it moves.
    """
    from deploy.operations.rollout import run
    from replay.rollout import commands

    who = _decider(data_dir, by, of)
    show(
        run(
            settings_of(data_dir), lambda deps: commands.promote(deps, of, version, who, wait=wait)
        ),
        as_json,
    )


def roll_back(
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    by: ByRole = "",
    wait: Wait = True,
    of: Of = TIER,
    scheme: Scheme = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let readers see the version before again.

    The agents record a change of tier for everybody whom it moves.
    """
    from deploy.operations.rollout import run
    from replay.rollout import commands

    who = _decider(data_dir, by, of)
    show(
        run(
            settings_of(data_dir),
            lambda deps: commands.roll_back(deps, of, who, reason, scheme, wait=wait),
        ),
        as_json,
    )


def announce(
    by: By,
    wait: Annotated[
        bool,
        typer.Option(
            "--wait/--no-wait",
            help="Wait for it; not waited for, what is not recorded yet never will be.",
        ),
    ] = True,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Wait until the changes of tier by each scheme's last switch are recorded, and note that."""
    from deploy.operations.rollout import run
    from replay.rollout import commands

    show(
        {"told": run(settings_of(data_dir), lambda deps: commands.announce(deps, by, wait=wait))},
        as_json,
    )


def tell_managers(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Tell managers whom they look after by what an earlier release recorded; once, after the
    upgrade.
    """
    from deploy.operations.books import tell_managers as tell

    with progress("told") as advance:
        count = tell(settings_of(data_dir), advance)
    show({"told": count}, as_json)


def verify(
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            min=1,
            help="Look at the states of so many streams a shard and group; all, if not said.",
        ),
    ] = None,
    ranges: Annotated[
        bool,
        typer.Option("--ranges", help="Also show count and digest of every range of positions."),
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Hold every event to what was noted when it came, and every live state to its own history.

    Exit code 1 if anything differs.
    """
    from deploy.operations.rollout import run
    from replay.rebuild import verify

    async def act(deps: "RolloutDependencies") -> dict[str, Any]:
        with deps.progress("verified", None) as advance:
            return asdict(
                await verify.verify(deps.store, deps.journal, deps.present(), sample, advance)
            )

    found = run(settings_of(data_dir), act)
    found = found if ranges else {name: each for name, each in found.items() if name != "ranges"}
    if as_json:
        show(found, as_json)
    else:
        Console(markup=False, highlight=False).print(_findings(found))
        for each in found.get("ranges", ()):
            print(
                f"shard {each['shard']} {each['after'] + 1:>10} to {each['upto']:>10}: "
                f"{each['events']:>6} events, {each['digest']}"
            )
    if found["found"]:
        raise typer.Exit(1)


def withdraw(
    version: Name,
    by: ByRole = "",
    of: Of = TIER,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Carry a version no longer, and remove its states; what it was stays in the journal."""
    from deploy.operations.rollout import run
    from replay.rollout import commands

    who = _decider(data_dir, by, of)
    show(
        run(settings_of(data_dir), lambda deps: commands.withdraw(deps, of, version, who)), as_json
    )


def _findings(found: dict[str, Any]) -> Table:
    table = Table(
        "kind",
        "shard",
        "where",
        "what is wrong",
        title=(
            f"{found['events']:,} events and {found['states']:,} states verified: "
            f"{found['found']:,} wrong"
        ),
    )
    for kind, shard, where, said in found["findings"]:
        table.add_row(kind, str(shard), where, said)
    return table


def _table(found: dict[str, Any]) -> Table:
    table = Table("group", "version", "", "brought by", "approved by", "events behind")
    for group, lineup in found["groups"].items():
        for name, version in lineup["versions"].items():
            role = (
                "live" if name == lineup["live"] else "before" if name == lineup["before"] else ""
            )
            base, _, _ = group.partition("/")
            lag = found["behind"].get(base if name == "original" else f"{base}/{name}", "")
            table.add_row(
                group,
                name,
                role,
                version["by"],
                ", ".join(each["by"] for each in version["approvals"]),
                str(lag),
            )
    return table
