"""What is in quarantine, why, and how does it get out again?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.who import by
from deploy.terminal import DataDir, Json, settings_of, show

if TYPE_CHECKING:
    from deploy.settings import Settings
    from streams.journal import Journal
    from streams.queries.quarantine import Wanted

Entry = Annotated[str, typer.Argument(help="SHARD/NUMBER, as in the list.")]
Entries = Annotated[str | None, typer.Argument(help="SHARD/NUMBER, as in the list.")]
Source = Annotated[str | None, typer.Option("--source", help="Of this source.")]
Type = Annotated[str | None, typer.Option("--type", help="Of this type, as the sender says it.")]
Field = Annotated[str | None, typer.Option("--field", help="With this field at fault.")]
Reason = Annotated[str | None, typer.Option("--reason", help="With this in the reason.")]
By = Annotated[str, by("Who decides it.", "operator")]
ByOperator = Annotated[str, by("Who decides it.", "operator", "operator")]
Why = Annotated[str, typer.Option("--why", help="Why; it is on record.")]
NAME_SOME = "name an entry, or what many have: --source, --type, --field, --reason"


def list_entries(
    data_dir: DataDir = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also what was re-driven or discarded.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1)] = 1000,
    source: Source = None,
    type_: Type = None,
    field: Field = None,
    reason: Reason = None,
    as_json: Json = False,
) -> None:
    """List what is in quarantine: sender, reason and the field at fault; never the content.

    All of it, or what has all that is named.
    """
    from deploy.wiring import journal_of
    from streams.queries.quarantine import Wanted, rows

    wanted = Wanted(source, type_, field, reason)
    found = [
        row
        for row in rows(journal_of(settings_of(data_dir)))
        if (every or not row["fate"]) and wanted.holds(row)
    ]
    if as_json:
        show({"total": len(found), "entries": found[:limit]}, as_json)
        return
    title = f"{len(found)} in quarantine"
    table = Table("entry", "source", "type", "field", "reason", "came from", "at", title=title)
    for row in found[:limit]:
        table.add_row(
            row["entry"],
            row["source"] or "",
            row["type"] or "",
            row["field"] or "",
            row["reason"],
            f"{row['log']}+{row['offset']}#{row['item']}",
            row["quarantined_at"],
        )
    Console().print(table)


def show_entry(name: Entry, data_dir: DataDir = None) -> None:
    """Write the original bytes of one entry to standard output."""
    from deploy.wiring import journal_of
    from streams.queries.quarantine import find

    _, entry = find(journal_of(settings_of(data_dir)), name)
    sys.stdout.buffer.write(entry.original)


def re_drive(
    by: ByOperator,
    name: Entries = None,
    source: Source = None,
    type_: Type = None,
    field: Field = None,
    reason: Reason = None,
    mended: Annotated[
        Path | None,
        typer.Option(
            "--with",
            help="A file with the mended event, instead of the original bytes.",
            exists=True,
        ),
    ] = None,
    why: Why = "sent again",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Send an entry to the front door again, as it was or mended.

    Or all entries, as they were, that have what is named. Who did it, and why, is an event.
    """
    from deploy.operations.quarantine import Clearing, clear
    from deploy.operations.quarantine import re_drive as send
    from deploy.wiring import journal_of, producer_of
    from streams.queries.quarantine import Wanted, find

    settings, wanted = settings_of(data_dir), Wanted(source, type_, field, reason)
    journal = journal_of(settings)
    names = _named(journal, name, wanted)
    if mended and name is None:
        raise typer.BadParameter("one entry is mended at a time: name it")
    how = Clearing("mended" if mended else "re-driven", by, why)
    how.of(0)  # before anything is sent: what cannot be on record is not done
    with producer_of(settings, journal) as producer:
        if mended:
            place, _ = find(journal, names[0])
            _send(settings, mended)
            clear(settings, producer, journal, [place], how)
            sent = 1
        else:
            sent = send(settings, producer, journal, names, how)
    if name and not sent:
        raise typer.BadParameter("there is nothing in it to send")
    show({"entries": len(names), "sent": sent}, as_json)


def discard(
    by: By,
    why: Why,
    name: Entries = None,
    source: Source = None,
    type_: Type = None,
    field: Field = None,
    reason: Reason = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let an entry go, or all that have what is named: they are listed no more.

    Their bytes stay. Who did it, and why, is an event.
    """
    from deploy.operations.quarantine import Clearing, clear
    from deploy.wiring import journal_of, producer_of
    from streams.queries.quarantine import Place, Wanted, find

    settings, wanted = settings_of(data_dir), Wanted(source, type_, field, reason)
    journal = journal_of(settings)
    if name is not None:
        find(journal, name)
    places = [Place.of(each, len(journal)) for each in _named(journal, name, wanted)]
    with producer_of(settings, journal) as producer:
        clear(settings, producer, journal, places, Clearing("discarded", by, why))
    show({"discarded": len(places)}, as_json)


def _named(journal: "Journal", name: str | None, wanted: "Wanted") -> list[str]:
    """The entry that is named, or all that wait and have what is wanted."""
    from streams.queries.quarantine import rows

    if (name is None) != any(wanted):
        raise typer.BadParameter(NAME_SOME)
    if name is not None:
        return [name]
    return [row["entry"] for row in rows(journal) if not row["fate"] and wanted.holds(row)]


def _send(settings: "Settings", mended: Path) -> None:
    from deploy.operations.feed import feed_all

    if not feed_all(settings, [mended.read_bytes().strip()], lambda _count: None)["sent"]:
        raise typer.BadParameter("there is nothing in it to send")
