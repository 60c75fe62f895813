"""Who may call the embedded stack?

A token a role, in files for curl, for those who have no issuer yet.
"""

import os
import secrets

from deploy.keys import token_for
from deploy.settings import Settings
from domain.access.roles import ANYBODY, ROLES, STATES_PURPOSE, Caller

HOURS = 12.0
"""For how long the tokens of the embedded stack are good."""
FIRST_MANAGER = "0"
"""Who looks after customer 100000 of the synthetic bank."""


def write_tokens(settings: Settings) -> None:
    """A token a role, each in a file for `curl -K` that only its owner may read."""
    folder = settings.data_dir / "tokens"
    folder.mkdir(mode=0o700, exist_ok=True)
    for role in ROLES:
        who = FIRST_MANAGER if role == "manager" else f"embedded-{role}"
        said = token_for(
            settings, Caller(who, (role,), ANYBODY if role == "channel" else None), HOURS
        )
        new = folder / f".{secrets.token_hex(8)}"
        with os.fdopen(
            os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii"
        ) as file:
            file.write(curl_file(said, "service" if role in STATES_PURPOSE else None))
        new.replace(folder / role)


def curl_file(said: str, purpose: str | None) -> str:
    """The options of curl that send a token, and for what it is asked."""
    lines = [
        f'header = "authorization: Bearer {said}"',
        *([f'header = "tierfold-purpose: {purpose}"'] if purpose else []),
    ]
    return "".join(f"{line}\n" for line in lines)
