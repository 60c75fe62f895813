"""What would another rule do? Tried on history from the command line, before anyone feels it."""

import asyncio
import re
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from deploy.cli.tables import print_comparison, print_curve, print_explanation, print_thresholds
from deploy.policy_files import read_policy
from deploy.settings import Settings
from deploy.terminal import DataDir, Json, UserError, errors, settings_of, show
from deploy.wiring import existing_journal

if TYPE_CHECKING:
    from projections.rollout.versions import Rules
    from replay.what_if.columns import Columns
    from streams.journal import Journal

Files = Annotated[list[Path], typer.Argument(help="Tier policies to try, YAML or JSON.")]
FromJournal = Annotated[
    bool,
    typer.Option(
        "--from-journal",
        help="Fold the facts from raw events, instead of reading those that are kept.",
    ),
]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Gather the facts from the read models first.")
]
Html = Annotated[Path | None, typer.Option("--html", help="Also write a report with charts.")]
Csv = Annotated[
    Path | None,
    typer.Option("--csv", help="Also write the named movers, a thousand at most, as CSV."),
]
Parquet = Annotated[
    Path | None,
    typer.Option("--parquet", help="Also write the named movers, a thousand at most, as Parquet."),
]
Vary = Annotated[
    str | None,
    typer.Option(
        "--vary",
        help=(
            "TIER=FROM..TO/STEP (minor units): how many would stand there under the first policy, "
            "threshold by threshold."
        ),
    ),
]
TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
Customer = Annotated[str, typer.Argument(help="The customer's number, without `customer:`.")]
Whom = Annotated[
    str,
    typer.Argument(
        help="The customer's number; or a household or company group, as household:7 or company:7."
    ),
]
Recorded = Annotated[
    datetime | None,
    typer.Option(
        "--recorded",
        formats=TIMES,
        help="What was recorded at this time or before; without an offset, the bank's time.",
    ),
]
BeforeRecorded = Annotated[
    datetime | None,
    typer.Option("--before-recorded", formats=TIMES, help="The same, for the moment before."),
]
BeforeOccurred = Annotated[
    datetime | None,
    typer.Option("--before-occurred", formats=["%Y-%m-%d"], help="The same, for the day before."),
]
Occurred = Annotated[
    datetime | None,
    typer.Option(
        "--occurred", formats=["%Y-%m-%d"], help="What has this business date or an earlier one."
    ),
]
Named = Annotated[
    Path | None, typer.Option("--policy", help="Another tier policy than the one in force then.")
]
On = Annotated[
    datetime | None,
    typer.Option(
        "--on", formats=["%Y-%m-%d"], help="The date asked about; today if none is given."
    ),
]
Scheme = Annotated[
    str | None, typer.Option("--scheme", help="The scheme; if none is named, the one that counts.")
]
MOST_POINTS = 100


def facts(
    from_journal: FromJournal = False, data_dir: DataDir = None, as_json: Json = False
) -> None:
    """Gather the monthly facts of every customer, for `what-if` to read."""
    from deploy.operations.facts import gather

    settings = settings_of(data_dir)
    columns = asyncio.run(gather(settings, from_journal=from_journal))
    show(
        {
            "customers": len(columns),
            "set_apart": columns.apart,
            "months": columns.rows,
            "folder": str(settings.facts),
        },
        as_json,
    )


def what_if(
    files: Files,
    vary: Vary = None,
    html: Html = None,
    csv: Csv = None,
    parquet: Parquet = None,
    refresh: Refresh = False,
    from_journal: FromJournal = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Show who would move under other policies: compared with the live one, over the same facts.

    Nothing is changed.
    """
    from deploy.active_groups import present_of
    from deploy.reports.comparison import write
    from replay.what_if.candidates import sensitivity, what_if

    settings = settings_of(data_dir)
    varied = _varied(vary) if vary else None
    live, candidates = present_of(settings).rules.policies, [read_policy(path) for path in files]
    for candidate in candidates:
        same = [each for each in live.values() if each.label == candidate.label]
        if same and same[0].digest != candidate.digest:
            errors.print(
                f"{candidate.label} is the name of a live policy too: give this one a version "
                "of its own",
                soft_wrap=True,
                markup=False,
            )
    columns = _facts(settings, refresh=refresh, from_journal=from_journal)
    found = what_if(columns, live, candidates)
    curve = sensitivity(columns, candidates[0], *varied) if varied else None
    write(found, curve, html, csv, parquet)
    if as_json:
        show(
            {
                "comparisons": [{**asdict(each), "digest": each.digest} for each in found],
                "curve": asdict(curve) if curve else None,
                "thresholds": {
                    each.label: [asked._asdict() for asked in each.thresholds()]
                    for each in candidates
                },
            },
            as_json,
        )
        return
    for candidate in candidates:
        print_thresholds(candidate)
    for each in found:
        print_comparison(each)
    if curve:
        print_curve(curve)


def as_of(
    whom: Whom,
    recorded: Recorded = None,
    occurred: Occurred = None,
    policy: Named = None,
    data_dir: DataDir = None,
) -> None:
    """Show a customer as known then, of what was true then, as JSON.

    With neither bound, as known now.

    A household or company group is shown as the sum of its members, each as known then.
    """
    import msgspec

    from projections.views.customer import asked_as
    from replay.history.as_of import together_as_of
    from replay.history.person import person_as_of

    settings = settings_of(data_dir)
    journal, day = existing_journal(settings), occurred.date() if occurred else None
    then = _in_zone(settings, recorded)
    shown: dict[str, object] | None
    if whom.startswith(("household:", "company:")):
        together = together_as_of(journal, whom, then, day)
        shown = {"whole": whom, **vars(together)} if together else None
    else:
        in_force = _rules_then(settings, journal, policy, occurred, then)
        found = person_as_of(journal, in_force, f"customer:{whom}", then, day)
        shown = {**asked_as(whom, found.numbers), **found.states} if found else None
    if shown is None:
        raise UserError(f"nothing was recorded of {whom} by then")
    print(msgspec.json.encode(shown, order="deterministic").decode())


def differences(
    customer: Customer,
    before_recorded: BeforeRecorded = None,
    before_occurred: BeforeOccurred = None,
    recorded: Recorded = None,
    occurred: Occurred = None,
    data_dir: DataDir = None,
) -> None:
    """Show what changed of a customer between two moments, and the events between, as JSON.

    A bound that is left out is now.
    """
    import msgspec

    from deploy.active_groups import rules_in_force
    from projections.views.customer import asked_as
    from replay.history.as_of import Moment
    from replay.history.difference import apart, changed_places

    settings = settings_of(data_dir)
    journal = existing_journal(settings)

    def moment(recorded: datetime | None, occurred: datetime | None) -> Moment:
        return Moment(_in_zone(settings, recorded), occurred.date() if occurred else None)

    found = apart(
        journal,
        partial(rules_in_force, settings, journal),
        f"customer:{customer}",
        moment(before_recorded, before_occurred),
        moment(recorded, occurred),
    )
    if found is None:
        raise UserError(f"nothing was recorded of {customer} by then")
    shown = {
        **asked_as(customer, found.numbers),
        "changes": changed_places(found.before, found.after),
        "events": found.events,
    }
    print(msgspec.json.encode(shown).decode())


def _in_zone(settings: Settings, moment: datetime | None) -> datetime | None:
    """A moment that says no offset is in the bank's time zone."""
    zone = ZoneInfo(settings.timezone)
    return moment.replace(tzinfo=moment.tzinfo or zone) if moment else None


def explain(
    customer: Customer,
    on: On = None,
    policy: Named = None,
    scheme: Scheme = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say why a customer stood in which tier on a date: policy, months, events.

    From the journal alone; in the scheme that counted for them, if none is named.
    """
    from replay.history.explain import NoScheme, explain

    settings = settings_of(data_dir)
    journal = existing_journal(settings)
    day = on.date() if on else datetime.now(ZoneInfo(settings.timezone)).date()
    try:
        found = explain(
            journal,
            _rules_then(settings, journal, policy, on),
            f"customer:{customer}",
            day,
            scheme,
        )
    except NoScheme as why:
        raise UserError(str(why)) from why
    if found is None:
        raise UserError(f"nothing was recorded of customer {customer} by {day}")
    if as_json:
        import msgspec

        print(msgspec.json.encode(found.as_json()).decode())
    else:
        print_explanation(found)


def _rules_then(
    settings: Settings,
    journal: "Journal",
    named: Path | None,
    on: datetime | None,
    at: datetime | None = None,
) -> "Rules":
    """The policy that is named, or those in force on a day, of what was decided by a time."""
    from deploy.active_groups import rules_in_force
    from projections.rollout.versions import Rules

    if named is None:
        return rules_in_force(settings, journal, on.date() if on else None, at)
    return Rules.of(read_policy(named))


def _facts(settings: Settings, *, refresh: bool, from_journal: bool) -> "Columns":
    """The facts that are kept, or gathered now if that is asked for or nothing is kept."""
    from deploy.operations.facts import gather
    from replay.what_if.snapshot import kept_columns

    if refresh and from_journal:
        raise typer.BadParameter(
            "--refresh reads the read models, and --from-journal the journal: ask for one of them"
        )
    try:
        found = None if refresh or from_journal else kept_columns(settings.facts)
    except ValueError as error:
        raise UserError(
            f"{error}: gather the facts again, with --refresh or --from-journal"
        ) from error
    return asyncio.run(gather(settings, from_journal=from_journal)) if found is None else found


def _varied(said: str) -> tuple[str, list[int]]:
    match = re.fullmatch(r"(\S+)=(\d{1,18})\.\.(\d{1,18})/(\d{1,18})", said)
    if match is None or int(match[4]) == 0:
        raise typer.BadParameter(
            f"--vary {said}: write TIER=FROM..TO/STEP, as gold=10000000..30000000/5000000"
        )
    low, high, step = (int(each) for each in match.groups()[1:])
    count = (high - low) // step + 1
    if not 1 <= count <= MOST_POINTS:
        raise typer.BadParameter(
            f"--vary {said}: that is {max(count, 0)} thresholds; 1 to {MOST_POINTS} are drawn"
        )
    return match[1], list(range(low, high + 1, step))
