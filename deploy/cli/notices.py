"""Which systems are told what happened, how far is each, and what could not be delivered?"""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.terminal import DataDir, Json, settings_of, show

Name = Annotated[str, typer.Argument(help="The subscriber, as its file names it.")]


def list_subscribers(data_dir: DataDir = None, as_json: Json = False) -> None:
    """List subscribers: of what each is told and where, and how far it is."""
    from deploy.operations.notices import standing

    found = standing(settings_of(data_dir))
    if as_json:
        show({"subscribers": found}, as_json)
        return
    table = Table(
        "subscriber", "role", "types", "where", "delivered", "behind", "failing", "given up"
    )
    for each in found:
        types = ", ".join(each["types"])
        counts = (f"{each[name]:,}" for name in ("delivered", "behind", "failing", "given_up"))
        table.add_row(each["subscriber"], each["role"], types, each["where"], *counts)
    Console(markup=False, highlight=False).print(table)


def secret(name: Name, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Make a new secret for a webhook, for its owner alone.

    Until the next one, notices are signed by this and by the one before. Start the outbox anew.
    """
    from deploy.operations.notices import new_secret

    show({"secret": str(new_secret(settings_of(data_dir), name))}, as_json)


def undelivered(name: Name, data_dir: DataDir = None, as_json: Json = False) -> None:
    """List what was given up (the dead letters): the names of notices, and why."""
    from deploy.operations import notices

    found = notices.undelivered(settings_of(data_dir), name)
    if as_json:
        show({"undelivered": found}, as_json)
        return
    table = Table("notice", "why", "given up at", "tries", title=f"{len(found):,} undelivered")
    for each in found:
        table.add_row(each["id"], each["why"], each["at"], str(each["tries"]))
    Console(markup=False, highlight=False).print(table)


def deliver_again(name: Name, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Let the outbox hand over once more what was given up."""
    from deploy.operations import notices

    show({"asked": notices.deliver_again(settings_of(data_dir), name)}, as_json)
