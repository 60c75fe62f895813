"""How is the embedded bank's own data kept safe from the loss of a disk?"""

from pathlib import Path
from typing import Annotated

import typer

from deploy.terminal import DataDir, Json, progress, settings_of, show

Into = Annotated[Path, typer.Argument(help="The folder of the copy; made if it is not there.")]


def journal(into: Into, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Copy the journal while the bank runs: one file a shard, each as at one moment."""
    _backup("journal", into, data_dir, as_json=as_json)


def vault(into: Into, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Copy the customers' keys while the bank runs; behind the journal, and to another place."""
    _backup("vault", into, data_dir, as_json=as_json)


def _backup(what: str, into: Path, data_dir: DataDir, *, as_json: bool) -> None:
    from deploy.operations.backup import copy, files_of

    files = files_of(settings_of(data_dir), what)
    with progress("bytes copied") as advance:
        size = copy(files, into, advance)
    show({"files": len(files), "bytes": size, "folder": str(into)}, as_json)
