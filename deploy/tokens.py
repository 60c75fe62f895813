"""Who may call? Tokens of our own, for those who have no issuer yet: one by a command, and one a role beside the embedded stack."""

import os
import secrets
from typing import Annotated, get_args

import typer

from deploy.console import DataDir, Mendable, settings_of
from deploy.keys import token_for
from deploy.settings import Settings
from domain.access import ANYBODY, ROLES, STATES_PURPOSE, Caller, Purpose, Role

HOURS = 12.0
"""For how long the tokens of the embedded stack are good."""
FIRST_MANAGER = "0"
"""Who looks after customer 100000 of the synthetic bank."""


def token(
    role: Annotated[list[str], typer.Option("--role", help=f"As what: {', '.join(ROLES)}; may be said more than once.")],
    who: Annotated[str, typer.Option("--who", help="Who it is: a person or a system.")],
    customer: Annotated[str | None, typer.Option("--customer", help="The one customer that a channel asks for; * for whoever is in front of it.")] = None,
    purpose: Annotated[str | None, typer.Option("--purpose", help=f"With --curl, for what: {', '.join(get_args(Purpose))}.")] = None,
    hours: Annotated[float, typer.Option("--hours", min=0.01, max=24 * 366, help="For how long it is good.")] = 1.0,
    curl: Annotated[bool, typer.Option("--curl", help="Print it as a file for `curl -K`, so that it stands in no command line.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print a token for somebody, signed with a key of our own. Whoever has it is them until it is over."""
    roles: tuple[Role, ...] = tuple(each for each in ROLES if each in role)
    if unknown := sorted({*role} - {*ROLES}):
        raise Mendable(f"there is no role {', '.join(unknown)}: {', '.join(ROLES)}")
    if roles == ("channel",) and customer is None:
        raise Mendable("a channel asks for one customer: name the --customer, or say --customer '*'")
    said = token_for(settings_of(data_dir), Caller(who, roles, customer), hours)
    print(curl_file(said, purpose), end="") if curl else print(said)


def write_tokens(settings: Settings) -> None:
    """A token a role, each in a file for `curl -K` that only its owner may read."""
    folder = settings.data_dir / "tokens"
    folder.mkdir(mode=0o700, exist_ok=True)
    for role in ROLES:
        who = FIRST_MANAGER if role == "manager" else f"embedded-{role}"
        said = token_for(settings, Caller(who, (role,), ANYBODY if role == "channel" else None), HOURS)
        new = folder / f".{secrets.token_hex(8)}"
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
            file.write(curl_file(said, "service" if role in STATES_PURPOSE else None))
        new.replace(folder / role)


def curl_file(said: str, purpose: str | None) -> str:
    """The options of curl that send a token, and for what it is asked."""
    lines = [f'header = "authorization: Bearer {said}"', *([f'header = "tierfold-purpose: {purpose}"'] if purpose else [])]
    return "".join(f"{line}\n" for line in lines)
