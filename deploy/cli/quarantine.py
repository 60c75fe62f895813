"""What is in quarantine, why, and how does it get out again?"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.settings import Settings
from deploy.terminal import DataDir, Json, settings_of, show

if TYPE_CHECKING:
    from streams.journal import Entry

Name = Annotated[str, typer.Argument(help="SHARD/NUMBER, as in the list.")]


def list_entries(
    data_dir: DataDir = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was re-driven.")] = False,
    limit: Annotated[int, typer.Option(min=1)] = 1000,
    as_json: Json = False,
) -> None:
    """List what is in quarantine, with the reason and the field at fault; never the content."""
    rows = [row for row in _entries(settings_of(data_dir)) if every or not row["redriven_at"]]
    if as_json:
        show({"total": len(rows), "entries": rows[:limit]}, as_json)
        return
    table = Table("entry", "field", "reason", "came from", "at", title=f"{len(rows)} in quarantine")
    for row in rows[:limit]:
        table.add_row(
            row["entry"],
            row["field"] or "",
            row["reason"],
            f"{row['log']}+{row['offset']}#{row['item']}",
            row["quarantined_at"],
        )
    Console().print(table)


def show_entry(name: Name, data_dir: DataDir = None) -> None:
    """Write the original bytes of one entry to standard output."""
    sys.stdout.buffer.write(_find(settings_of(data_dir), name).original)


def re_drive(
    name: Name,
    mended: Annotated[
        Path | None,
        typer.Option(
            "--with",
            help="A file with the mended event, instead of the original bytes.",
            exists=True,
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Send an entry to the front door again, as it was or mended."""
    from deploy.operations.feed import feed_all
    from deploy.wiring import journal_of

    settings = settings_of(data_dir)
    entry = _find(settings, name)
    shard = int(name.partition("/")[0])
    sent = (
        feed_all(settings, [mended.read_bytes().strip()], lambda _count: None)["sent"]
        if mended
        else _as_it_was(settings, shard, entry)
    )
    if not sent:
        raise typer.BadParameter("there is nothing in it to send")
    journal_of(settings)[shard].redriven(entry.number, datetime.now(UTC))
    show({"entry": name, "sent": sent}, as_json)


def _as_it_was(settings: Settings, shard: int, entry: "Entry") -> int:
    """Send the original bytes with the key and headers that they came with, or as our own word if
    they were; gives how many messages that is.
    """
    from deploy.wiring import journal_of, producer_of

    came_with = json.loads(entry.sent_with or "{}")
    key, headers = (
        came_with.get("key"),
        [(name, value.encode()) for name, value in came_with.get("headers", {}).items()],
    )
    with producer_of(settings, journal_of(settings)) as producer:
        ours = came_with.get("ours")
        sent = (
            producer.submit(shard, entry.original)
            if ours
            else producer.forward(shard, entry.original, headers, key.encode() if key else None)
        )
        sent.result(timeout=60)
    return 1


def _entries(settings: Settings) -> Iterator[dict[str, Any]]:
    from deploy.wiring import journal_of

    for shard in journal_of(settings):
        after = 0
        while entries := shard.quarantined(after):
            for entry in entries:
                fields = {
                    name: value
                    for name, value in entry._asdict().items()
                    if name not in ("number", "original")
                }
                yield {"entry": f"{shard.number}/{entry.number}", **fields}
            after = entries[-1].number


def _find(settings: Settings, name: str) -> "Entry":
    from deploy.wiring import journal_of

    shard, _, number = name.partition("/")
    if not (shard.isdecimal() and number.isdecimal() and int(shard) < settings.shards):
        raise typer.BadParameter(
            f"{name} is not an entry: SHARD/NUMBER, with a shard below {settings.shards}"
        )
    found = journal_of(settings)[int(shard)].quarantined(int(number) - 1, 1)
    if not found or found[0].number != int(number):
        raise typer.BadParameter(f"there is no entry {name}")
    return found[0]
