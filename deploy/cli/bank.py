"""How do events come in, where do they come from, and what do they come to?"""

from contextlib import nullcontext
from datetime import datetime, time
from pathlib import Path
from typing import Annotated
from uuid import uuid4
from zoneinfo import ZoneInfo

import typer

from deploy.cli.who import by
from deploy.observability.logs import set_up_logs
from deploy.terminal import DataDir, Json, UserError, errors, progress, settings_of, show

CALENDAR = "tierfold/calendar"
"""The source of days that a person closed."""
EVENTS = "CloudEvents as JSON lines; - for standard input."
TRUTH = (
    "A file for the causes that the bank is never told, as JSON lines: who may leave, who left, "
    "how likely a yes was."
)
Customers = Annotated[int, typer.Option(min=1, max=20_000_000, help="How many customers.")]
Months = Annotated[int, typer.Option(min=1, max=240, help="How many months of history.")]


def _month(said: str) -> str:
    """A month, as 2024-01."""
    return f"{datetime.strptime(said, '%Y-%m'):%Y-%m}"  # noqa: DTZ007 - a month, nowhere


FirstMonth = Annotated[
    str,
    typer.Option(
        parser=_month,
        metavar="YYYY-MM",
        help="The first of them. What lies in the future is refused by a bank.",
    ),
]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.")]


def feed(
    file: Annotated[str | None, typer.Argument(help=EVENTS)] = None,
    berka: Annotated[
        Path | None,
        typer.Option(
            "--berka",
            help="The folder of the PKDD'99 bank's .asc files.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Send interactions in, and wait until every one is safe.

    Ends with 1 where not all that arrived meanwhile was recorded, if the journal is waited for.
    With a broker that keeps messages nothing is known of that yet.
    """
    from deploy.operations.feed import feed_all, sources

    if (file is None) == (berka is None):
        raise typer.BadParameter("name a FILE, or - for standard input, or --berka DIR")
    set_up_logs("warning", "feed")
    with progress("safe") as advance:
        report = feed_all(settings_of(data_dir), sources(file, berka), advance)
    show(report, as_json)
    aside = report.get("quarantined", 0) + report.get("refused", 0)
    if report["unsendable"]:
        errors.print(f"{report['unsendable']} lines are too large for the broker and were not sent")
    if aside:
        errors.print(f"{aside} were not recorded: `tierfold quarantine list` says why")
    if report["unsendable"] or aside:
        raise typer.Exit(1)


def synth(
    customers: Customers = 1000,
    months: Months = 10,
    seed: Seed = 1,
    first_month: FirstMonth = "2026-01",
    truth: Annotated[Path | None, typer.Option("--truth", help=TRUTH)] = None,
) -> None:
    """Write a synthetic bank as CloudEvents, one JSON line each, on standard output.

    As its core systems send them: one message in a hundred is late, one in a thousand comes twice,
    a few are garbled first.
    """
    import sys

    import msgspec

    from streams.sources.synth.bank import Bank, Hidden
    from streams.sources.synth.sent import sent

    try:
        into = truth.open("wb") if truth else nullcontext()
    except OSError as error:
        raise UserError(f"{truth} cannot be written: {error.strerror}") from error
    with into as file:

        def tell(hidden: Hidden) -> None:
            if file is not None:
                file.write(msgspec.json.encode(hidden) + b"\n")

        for line in sent(Bank(customers, months, seed, first_month), tell):
            sys.stdout.buffer.write(line + b"\n")


def close_day(
    day: Annotated[
        datetime, typer.Argument(formats=["%Y-%m-%d"], help="The business date that ended.")
    ],
    by: Annotated[str, by("Who closes it.", "operator")],
    reason: Annotated[str, typer.Option("--reason", help="Why a person does.")],
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Close a business day that lies further behind the last than the arrival policy lets pass."""
    import asyncio

    from deploy.operations.own_word import say
    from deploy.wiring import existing_journal
    from domain.bank.events import DayClosed
    from domain.envelope import Proposed
    from domain.event import BANK

    settings = settings_of(data_dir)
    zone = ZoneInfo(settings.timezone)
    now, date = datetime.now(zone), day.date()
    if date > now.date():
        raise UserError(f"{date} is not over: today is {now.date()}")
    said = DayClosed(date=date, by=by, reason=reason)
    at = datetime.combine(date, time(23, 59), zone)
    event = Proposed(CALENDAR, f"closed/{date}/{uuid4().hex}", BANK, at, date, said)
    asyncio.run(say(settings, existing_journal(settings), event, f"{date} is not closed"))
    show({"closed": str(date), "by": by, "reason": reason}, as_json)


def demo(
    customers: Customers = 1000,
    months: Months = 6,
    seed: Seed = 1,
    exit_: Annotated[bool, typer.Option("--exit", help="Leave after the summary.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Run the embedded stack on a synthetic bank, print a summary, and stay up."""
    from deploy.embedded import children

    children.prepare()
    from deploy.operations.demo import run_demo
    from streams.sources.synth import Bank

    settings = settings_of(data_dir)
    set_up_logs("warning", "demo")
    run_demo(settings, Bank(customers, months, seed), leave=exit_, as_json=as_json)


def digest(
    data_dir: DataDir = None,
    rebuilt: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Fold the journal anew, instead of reading the live states."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the digest of every projection: live, or rebuilt from the journal.

    The two must be equal.
    """
    import asyncio

    from deploy.operations.digest import live_digests, rebuilt_digests

    set_up_logs("warning", "digest")
    settings = settings_of(data_dir)
    show(asyncio.run(rebuilt_digests(settings) if rebuilt else live_digests(settings)), as_json)


def schema(
    folder: Annotated[Path, typer.Argument(help="Where to write the files.", file_okay=False)],
) -> None:
    """Write the JSON Schema of every event type, and an AsyncAPI document, for the teams of the
    core systems.
    """
    from deploy.operations.schemas import write_schemas

    show({"files": write_schemas(folder), "folder": str(folder)}, as_json=False)
