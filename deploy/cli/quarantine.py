"""What is in quarantine, why, and how does it get out again?"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from deploy.settings import Settings
from deploy.terminal import DataDir, Json, settings_of, show

if TYPE_CHECKING:
    from streams.journal import Entry
    from streams.publish.confirmed_producer import ConfirmedProducer

Name = Annotated[str, typer.Argument(help="SHARD/NUMBER, as in the list.")]
Source = Annotated[str | None, typer.Option("--source", help="Of this source.")]
Type = Annotated[str | None, typer.Option("--type", help="Of this type, as the sender says it.")]
Field = Annotated[str | None, typer.Option("--field", help="With this field at fault.")]
Reason = Annotated[str | None, typer.Option("--reason", help="With this in the reason.")]


def list_entries(
    data_dir: DataDir = None,
    every: Annotated[bool, typer.Option("--all", help="Also what was re-driven.")] = False,
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
    wanted = _Wanted(source, type_, field, reason)
    rows = [
        row
        for row in _entries(settings_of(data_dir))
        if (every or not row["redriven_at"]) and wanted.holds(row)
    ]
    if as_json:
        show({"total": len(rows), "entries": rows[:limit]}, as_json)
        return
    title = f"{len(rows)} in quarantine"
    table = Table("entry", "source", "type", "field", "reason", "came from", "at", title=title)
    for row in rows[:limit]:
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


def show_entry(name: Name, data_dir: DataDir = None) -> None:
    """Write the original bytes of one entry to standard output."""
    sys.stdout.buffer.write(_find(settings_of(data_dir), name).original)


def re_drive(
    name: Annotated[str | None, typer.Argument(help="SHARD/NUMBER, as in the list.")] = None,
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
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Send an entry to the front door again, as it was or mended.

    Or all entries, as they were, that have what is named.
    """
    wanted = _Wanted(source, type_, field, reason)
    if name is None:
        _re_drive_all(settings_of(data_dir), wanted, as_json)
        return
    if any(wanted):
        raise typer.BadParameter("name an entry, or what many of them have, not both")
    from deploy.operations.feed import feed_all
    from deploy.wiring import journal_of, producer_of

    settings = settings_of(data_dir)
    entry, journal = _find(settings, name), journal_of(settings)
    shard, sent = int(name.partition("/")[0]), 1
    if mended:
        sent = feed_all(settings, [mended.read_bytes().strip()], lambda _count: None)["sent"]
    else:
        with producer_of(settings, journal) as producer:
            _as_it_was(producer, shard, entry)
    if not sent:
        raise typer.BadParameter("there is nothing in it to send")
    journal[shard].redriven(entry.number, datetime.now(UTC))
    show({"entry": name, "sent": sent}, as_json)


def _re_drive_all(settings: Settings, wanted: "_Wanted", as_json: bool) -> None:
    """Send again, as they were, all entries that have what is wanted."""
    from deploy.wiring import journal_of, producer_of

    if not any(wanted):
        raise typer.BadParameter(
            "name an entry, or what many have: --source, --type, --field, --reason"
        )
    journal, sent = journal_of(settings), 0
    names = [
        row["entry"] for row in _entries(settings) if not row["redriven_at"] and wanted.holds(row)
    ]
    with producer_of(settings, journal) as producer:
        for name in names:
            shard, entry = int(name.partition("/")[0]), _find(settings, name)
            if entry.original:
                _as_it_was(producer, shard, entry)
                journal[shard].redriven(entry.number, datetime.now(UTC))
                sent += 1
    show({"entries": len(names), "sent": sent}, as_json)


class _Wanted(NamedTuple):
    """What entries have that are meant; a reason by a part of it."""

    source: str | None
    type: str | None
    field: str | None
    reason: str | None

    def holds(self, row: dict[str, Any]) -> bool:
        """Whether an entry has all of it."""
        return (
            self.source in (None, row["source"])
            and self.type in (None, row["type"])
            and self.field in (None, row["field"])
            and (self.reason or "") in row["reason"]
        )


class _Head(msgspec.Struct):
    """What an event says of its sender, as far as it can be read."""

    source: str | None = None
    id: str | None = None
    type: str | None = None


def _head(entry: "Entry") -> dict[str, str | None]:
    try:
        head = msgspec.json.decode(entry.original, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = json.loads(entry.sent_with or "{}").get("headers", {})
        head = _Head(*(said.get(f"ce_{name}") for name in ("source", "id", "type")))
    return msgspec.structs.asdict(head)


def _as_it_was(producer: "ConfirmedProducer", shard: int, entry: "Entry") -> None:
    """Send the original bytes with the key and headers that they came with, or as our own word if
    they were; waits until they are safe.
    """
    came_with = json.loads(entry.sent_with or "{}")
    key, headers = (
        came_with.get("key"),
        [(name, value.encode()) for name, value in came_with.get("headers", {}).items()],
    )
    sent = (
        producer.submit(shard, entry.original)
        if came_with.get("ours")
        else producer.forward(shard, entry.original, headers, key.encode() if key else None)
    )
    sent.result(timeout=60)


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
                yield {"entry": f"{shard.number}/{entry.number}", **_head(entry), **fields}
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
