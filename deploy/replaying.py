"""What would another rule do? Tried on history from the command line, before anyone feels it."""

import asyncio
import re
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from deploy.console import DataDir, Json, Mendable, errors, progress, settings_of, show
from deploy.files import read_policy
from deploy.logs import set_up_logs
from deploy.settings import Settings

if TYPE_CHECKING:
    from replay.columns import Columns
    from replay.compare import Comparison
    from replay.explain import Explanation
    from replay.whatif import Point

replay = typer.Typer(name="replay", no_args_is_help=True, help="Try a rule on history, see who moves.")

Files = Annotated[list[Path], typer.Argument(help="Tier policies to try, YAML or JSON.")]
FromJournal = Annotated[bool, typer.Option("--from-journal", help="Fold the facts from raw events, instead of reading those that are kept.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Gather the facts from the read models first.")]
Html = Annotated[Path | None, typer.Option("--html", help="Also write a report with charts.")]
Csv = Annotated[Path | None, typer.Option("--csv", help="Also write the named movers.")]
Vary = Annotated[str | None, typer.Option("--vary", help="TIER=FROM..TO/STEP: how many would stand there, threshold by threshold (minor units).")]
Customer = Annotated[str, typer.Argument(help="The customer's number, without `customer:`.")]
Recorded = Annotated[datetime | None, typer.Option("--recorded", help="What was recorded at this time or before (the bank's time).")]
Occurred = Annotated[datetime | None, typer.Option("--occurred", formats=["%Y-%m-%d"], help="What has this business date or an earlier one.")]
On = Annotated[datetime | None, typer.Option("--on", formats=["%Y-%m-%d"], help="The date asked about; today if none is given.")]
SHOWN = 10
WIDE = 160
"""Columns of a table that goes into a file."""


@replay.callback()
def begin() -> None:
    """Say what goes wrong, and nothing else, on standard error."""
    set_up_logs("warning", "replay")


@replay.command()
def facts(from_journal: FromJournal = False, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Gather the monthly facts of every customer, for `what-if` to read."""
    settings = settings_of(data_dir)
    columns = _gather(settings, from_journal=from_journal)
    show({"customers": len(columns), "months": columns.rows, "folder": str(_folder(settings))}, as_json)


@replay.command("what-if")
def what_if(
    files: Files,
    vary: Vary = None,
    html: Html = None,
    csv: Csv = None,
    refresh: Refresh = False,
    from_journal: FromJournal = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Show who would move under other policies: compared with the live one, over the same facts. Nothing is changed."""
    from replay.facts import kept
    from replay.whatif import sensitivity, what_if

    settings = settings_of(data_dir)
    live, candidates = read_policy(settings.policy), [read_policy(path) for path in files]
    columns = None if refresh or from_journal else kept(_folder(settings))
    columns = columns or _gather(settings, from_journal=from_journal)
    found = what_if(columns, live, candidates)
    curve = sensitivity(columns, candidates[0], *_varied(vary)) if vary else []
    _write(found, curve, html, csv)
    if as_json:
        show({"comparisons": [{**asdict(each), "digest": each.digest} for each in found], "curve": [asdict(point) for point in curve]}, as_json)
    else:
        for each in found:
            _print(each)
        _print_curve(curve)


@replay.command("as-of")
def as_of(customer: Customer, recorded: Recorded = None, occurred: Occurred = None, data_dir: DataDir = None) -> None:
    """Show a customer as known then, of what was true then, as JSON; with neither bound, as known now."""
    import msgspec

    from deploy.compose import journal_of
    from deploy.groups import groups_of
    from replay.past import as_of

    settings = settings_of(data_dir)
    group = groups_of(settings)[0]
    then = recorded.replace(tzinfo=recorded.tzinfo or ZoneInfo(settings.timezone)) if recorded else None
    states = as_of(journal_of(settings), group, f"customer:{customer}", then, occurred.date() if occurred else None)
    if states is None:
        raise Mendable(f"nothing was recorded of customer {customer} by then")
    shown = {"customer": customer, **{part.name: state for part, state in zip(group.parts, states, strict=True)}}
    print(msgspec.json.encode(shown, order="deterministic").decode())


@replay.command()
def explain(customer: Customer, on: On = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Say why a customer stood in which tier on a date: policy, months, events; from the journal alone."""
    from deploy.compose import journal_of
    from deploy.groups import groups_of
    from replay.explain import explain

    settings = settings_of(data_dir)
    day = on.date() if on else datetime.now(ZoneInfo(settings.timezone)).date()
    found = explain(journal_of(settings), groups_of(settings)[0], read_policy(settings.policy), f"customer:{customer}", day)
    if found is None:
        raise Mendable(f"nothing was recorded of customer {customer} by {day}")
    if as_json:
        import msgspec

        print(msgspec.json.encode(found.as_json()).decode())
    else:
        _print_explanation(found)


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "facts"


def _gather(settings: Settings, *, from_journal: bool) -> "Columns":
    """The facts of every customer, kept beside the journal for the next question."""
    from deploy.compose import journal_of
    from deploy.groups import groups_of
    from projections.redis import RedisError, RedisStore
    from replay.facts import gathered, keep, kept
    from replay.rebuild import rebuild

    customers = groups_of(settings)[0]

    async def gather() -> "Columns":
        if from_journal:
            with progress("events folded") as advance:
                store = rebuild((customers,), journal_of(settings), advance)
            return await gathered(store, customers, settings.shards)
        live = RedisStore(settings.redis)
        try:
            with progress("customers read") as advance:
                return await gathered(live, customers, settings.shards, advance)
        except RedisError as error:
            raise Mendable(f"the read models do not answer ({error}): start them, or ask --from-journal") from error
        finally:
            await live.close()

    keep(asyncio.run(gather()), _folder(settings))
    found = kept(_folder(settings))
    assert found is not None
    return found


def _varied(said: str) -> tuple[str, list[int]]:
    match = re.fullmatch(r"(\S+)=(\d+)\.\.(\d+)/(\d+)", said)
    if match is None or int(match[4]) == 0:
        raise typer.BadParameter(f"--vary {said}: write TIER=FROM..TO/STEP, as gold=10000000..30000000/5000000")
    thresholds = list(range(int(match[2]), int(match[3]) + 1, int(match[4])))
    if not 1 <= len(thresholds) <= 100:
        raise typer.BadParameter(f"--vary {said}: that is {len(thresholds)} thresholds; 1 to 100 are drawn")
    return match[1], thresholds


def _write(found: "list[Comparison]", curve: "list[Point]", html: Path | None, csv: Path | None) -> None:
    from deploy.report import as_csv, as_html

    if html is not None:
        html.write_text(as_html(found, curve), encoding="utf-8")
        errors.print(f"report: {html}", soft_wrap=True)
    if csv is not None:
        csv.write_text(as_csv(found), encoding="utf-8", newline="")
        errors.print(f"movers: {csv}", soft_wrap=True)


def _print(found: "Comparison") -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    title = f"{found.old} → {found.new}: {found.customers:,} customers through {found.through}, {found.up:,} up, {found.down:,} down"
    used = [place for place in range(len(found.columns)) if any(counts[place] for counts in found.counts)]
    matrix = Table("from \\ to", *(found.columns[place] for place in used), "assets that move (minor units)", title=title)
    for row, counts, assets in zip(found.rows, found.counts, found.assets, strict=True):
        if any(counts):
            moving = sum(amount for name, amount in zip(found.columns, assets, strict=True) if name != row)
            matrix.add_row(row, *(f"{counts[place]:,}" if counts[place] else "" for place in used), f"{moving:,}")
    console.print(matrix)
    segments = Table("by", "segment", "customers", "up", "down")
    for each in found.segments:
        segments.add_row(each.by, each.segment, f"{each.customers:,}", *(f"{count:,} ({count / each.customers:.1%})" for count in (each.up, each.down)))
    console.print(segments)
    movers = Table("customer", "from", "to", "assets", "seen", "missing to rise", title=f"the {min(SHOWN, len(found.movers))} largest who move")
    for mover in found.movers[:SHOWN]:
        movers.add_row(mover.customer, mover.before, mover.after, f"{mover.assets:,}", _seen(mover.seen), ", ".join(mover.missing))
    if found.movers:
        console.print(movers)
    console.print(f"report digest {found.digest}", soft_wrap=True)


def _print_explanation(found: "Explanation") -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    held = f", set by hand by {found.override.approver} until {found.override.until}: {found.override.reason}" if found.override else ""
    console.print(f"{found.customer} stood in {found.tier} on {found.on}, since {found.since}, missed {found.watch}{held}", soft_wrap=True)
    console.print(f"policy {found.policy}, digest {found.policy_digest}", soft_wrap=True)
    months = Table("month", "measured", "reached", "from", "to", "missed", "events", "versions", "largest movements (position: amount)")
    for each in found.assessments[::-1]:
        largest = ", ".join(f"{moved.position}: {moved.amount:,} {moved.currency}" for moved in each.largest[:3])
        versions = f"{each.first_version} to {each.last_version}" if each.events else ""
        to = f"{each.after} (in dispute)" if each.frozen else each.after
        months.add_row(each.month, _seen(each.seen), each.reached, each.before, to, str(each.watch), str(each.events), versions, largest)
    console.print(months)


def _print_curve(curve: "list[Point]") -> None:
    if curve:
        table = Table("threshold", "customers there or above", "")
        most = max(point.customers for point in curve) or 1
        for point in curve:
            table.add_row(f"{point.threshold:,}", f"{point.customers:,}", "█" * (40 * point.customers // most))
        Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _seen(seen: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:,}" for name, value in seen.items())
