"""How is what SQLite keeps copied while the bank runs?

By SQLite's own backup (https://sqlite.org/backup.html): each file as it is at one moment, whoever
writes to it meanwhile.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from deploy.settings import Settings
from deploy.terminal import UserError

PAGES = 10_000
"""Pages that are copied at once; between two of them others may write."""


def files_of(settings: Settings, what: str) -> list[Path]:
    """The SQLite files of the `journal` or of the `vault`; raises `UserError` where it has none."""
    url = settings.journal_url if what == "journal" else settings.vault_url
    kind, _, path = url.partition("://")
    if kind != "sqlite":
        raise UserError(f"the {what} is in PostgreSQL: pg_basebackup backs it up")
    found = sorted(Path(path).glob("shard-*.db")) if what == "journal" else [Path(path)]
    if not found or not all(file.is_file() for file in found):
        raise UserError(f"there is no {what} at {path}: is this the bank's data folder?")
    return found


def copy(files: list[Path], into: Path, advance: Callable[[int], None]) -> int:
    """Copy files into a folder, under their names; gives the bytes.

    Raises `UserError` where one is there already: a backup is never written over.
    """
    into.mkdir(parents=True, exist_ok=True)
    copies = [into / file.name for file in files]
    if there := [copied for copied in copies if copied.exists()]:
        raise UserError(f"{there[0]} is there already: name a new folder")
    for file, copied in zip(files, copies, strict=True):
        _copy(file, copied, advance)
    return sum(copied.stat().st_size for copied in copies)


def _copy(file: Path, copied: Path, advance: Callable[[int], None]) -> None:
    """Under another name until it is whole: what is cut short is no backup."""
    part = copied.with_suffix(".part")
    part.unlink(missing_ok=True)
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as source:
        # trap: a copy begins anew with each commit of others, unless it reads at one moment
        source.execute("BEGIN")
        source.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        [(size,)] = source.execute("PRAGMA page_size")
        with closing(sqlite3.connect(part)) as target:
            source.backup(target, pages=PAGES, progress=lambda *_: advance(PAGES * int(size)))
            [(said,)] = target.execute("PRAGMA quick_check")
    if said != "ok":
        raise UserError(f"the copy of {file} is not whole: {said}")
    part.rename(copied)
