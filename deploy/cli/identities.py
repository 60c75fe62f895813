"""Which numbers are one person's, and who decided it?"""

import asyncio
from datetime import datetime, time
from typing import Annotated
from uuid import uuid4
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from deploy.cli.who import by
from deploy.terminal import DataDir, Json, UserError, progress, settings_of, show

SOURCE = "tierfold/identities"
"""The source of what was decided by a command."""
Stays = Annotated[str, typer.Argument(help="The number that stays, without `customer:`.")]
Other = Annotated[str, typer.Argument(help="The other number of the same person.")]
By = Annotated[str, by("Who decides it.", "supervisor")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
On = Annotated[
    datetime | None,
    typer.Option("--on", formats=["%Y-%m-%d"], help="From which day on; now, if none is given."),
]


def propose(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List numbers that may be one person's: the same identity document, or phone and birth date.

    A person decides; nothing is ever merged by itself. What was decided already is not listed.
    """
    from deploy.operations.identities import alike

    with progress("customers read") as advance:
        found = asyncio.run(alike(settings_of(data_dir), advance))
    proposals = [
        {"by": by, "numbers": [number.removeprefix("customer:") for number in numbers]}
        for by, numbers in found.proposals()
    ]
    if as_json:
        show({"proposals": proposals, "too_many_share": found.too_many()}, as_json)
        return
    table = Table("numbers", "the same", title=f"{len(proposals)} may be one person each")
    for each in proposals:
        table.add_row(", ".join(each["numbers"]), str(each["by"]))
    Console().print(table)
    if found.too_many():
        print(f"{found.too_many()} keys are shared by too many to tell anything")


def merge(
    stays: Stays,
    other: Other,
    by: By,
    reason: Reason,
    on: On = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say that two numbers are one person's; both go on taking what comes for them."""
    _decide(stays, other, (by, reason), on, data_dir, as_json, merged=True)


def unmerge(
    stays: Stays,
    other: Other,
    by: By,
    reason: Reason,
    on: On = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say that they are not; each has what was its own."""
    _decide(stays, other, (by, reason), on, data_dir, as_json, merged=False)


def _decide(
    stays: str,
    other: str,
    why: tuple[str, str],
    on: datetime | None,
    data_dir: DataDir,
    as_json: bool,
    *,
    merged: bool,
) -> None:
    from deploy.operations.identities import decide
    from domain.customers.events import IdentitiesMerged, IdentitiesUnmerged
    from domain.envelope import Proposed

    settings = settings_of(data_dir)
    now = datetime.now(ZoneInfo(settings.timezone))
    of_today = on is None or on.date() == now.date()
    at = now if of_today or on is None else datetime.combine(on.date(), time(0), now.tzinfo)
    if at > now:
        raise UserError(f"{at.date()} is not here yet: today is {now.date()}")
    if stays == other:
        raise UserError("a number is not merged with itself")
    kind = IdentitiesMerged if merged else IdentitiesUnmerged
    said = kind(other=f"customer:{other}", reason=why[1], by=why[0])
    event = Proposed(SOURCE, uuid4().hex, f"customer:{stays}", at, at.date(), said)
    asyncio.run(decide(settings, event, f"customer:{other}"))
    word = "one person" if merged else "two persons"
    show({"stays": stays, "other": other, "are": word, "by": why[0], "reason": why[1]}, as_json)
