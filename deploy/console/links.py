"""How does somebody log in who has no identity provider? By a link that opens once.

Its code is in the link alone; the folder has its digest, and whom it lets in.
"""

import json
import os
import secrets
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from domain.access.roles import Caller
from streams.web.security.tokens import BadToken, caller_of

GOOD_FOR = 600
"""Seconds."""


def make_link(folder: Path, address: str, caller: Caller) -> str:
    """A link that lets somebody in, once, within ten minutes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_old(folder)
    code = secrets.token_urlsafe(32)
    said = {"sub": caller.who, "roles": list(caller.roles), "until": int(time.time()) + GOOD_FOR}
    with os.fdopen(
        os.open(_file(folder, code), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w"
    ) as file:
        json.dump(said, file)
    return f"{address}/login?code={code}"


def spend(folder: Path, code: str) -> Caller | None:
    """Whom a code lets in; None if there is none of it, or no more. Of two at once one gets in."""
    file = _file(folder, code)
    mine = file.with_suffix(f".{secrets.token_hex(8)}")
    try:
        file.rename(mine)
        said = json.loads(mine.read_text())
        mine.unlink()
        return caller_of(said) if said["until"] > time.time() else None
    except (OSError, ValueError, KeyError, BadToken):
        return None


def _file(folder: Path, code: str) -> Path:
    return folder / sha256(code.encode()).hexdigest()


def _remove_old(folder: Path) -> None:
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # somebody opens it just now
            if file.stat().st_mtime < time.time() - GOOD_FOR:
                file.unlink()
