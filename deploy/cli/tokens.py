"""Who may call?

Tokens of our own, for those who have no issuer yet: one by a command, and one a role beside the
embedded stack.
"""

from typing import Annotated, get_args

import typer
from pydantic import ValidationError

from deploy.console.links import make_link
from deploy.embedded.tokens import curl_file
from deploy.keys import token_for
from deploy.terminal import DataDir, UserError, settings_of
from domain.access.events import Purpose
from domain.access.roles import PEOPLE, ROLES, Caller
from domain.event import Role
from streams.web.security.tokens import NAMED


def console_link(
    role: Annotated[
        list[str],
        typer.Option("--role", help=f"As what: {', '.join(PEOPLE)}; may be said more than once."),
    ],
    who: Annotated[str, typer.Option("--who", help="Which person it is.")],
    data_dir: DataDir = None,
) -> None:
    """Print a link that lets a person into the web console, once, within ten minutes.

    Whoever opens it is them until they log out.
    """
    settings = settings_of(data_dir)
    roles: tuple[Role, ...] = tuple(each for each in PEOPLE if each in role)
    if unknown := sorted({*role} - {*PEOPLE}):
        raise UserError(f"nobody sits there as {', '.join(unknown)}: {', '.join(PEOPLE)}")
    if not settings.has_console:
        raise UserError(
            "there is no console: it is started with the embedded stack, by tokens of our own "
            "(TIERFOLD_EMBEDDED, TIERFOLD_TOKEN_KEYS, TIERFOLD_CONSOLE_PORT)"
        )
    try:
        NAMED.validate_python(who)
    except ValidationError:
        raise UserError(
            f"{who} is no name: letters, digits and _ . - : / @ # only, as li.wei"
        ) from None
    print(make_link(settings.console_links, settings.console_address, Caller(who, roles)))


def token(
    role: Annotated[
        list[str],
        typer.Option("--role", help=f"As what: {', '.join(ROLES)}; may be said more than once."),
    ],
    who: Annotated[str, typer.Option("--who", help="Who it is: a person or a system.")],
    customer: Annotated[
        str | None,
        typer.Option(
            "--customer",
            help="The one customer that a channel asks for; * for whoever is in front of it.",
        ),
    ] = None,
    sources: Annotated[
        list[str] | None,
        typer.Option(
            "--source",
            help="A source of theirs, with all that is below it; may be said more than once.",
        ),
    ] = None,
    purpose: Annotated[
        str | None,
        typer.Option("--purpose", help=f"With --curl, for what: {', '.join(get_args(Purpose))}."),
    ] = None,
    hours: Annotated[
        float, typer.Option("--hours", min=0.01, max=24 * 366, help="For how long it is good.")
    ] = 1.0,
    curl: Annotated[
        bool,
        typer.Option(
            "--curl", help="Print it as a file for `curl -K`, so that it stands in no command line."
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Print a token for somebody, signed with a key of our own.

    Whoever has it is them until it is over.
    """
    roles: tuple[Role, ...] = tuple(each for each in ROLES if each in role)
    if unknown := sorted({*role} - {*ROLES}):
        raise UserError(f"there is no role {', '.join(unknown)}: {', '.join(ROLES)}")
    if roles == ("channel",) and customer is None:
        raise UserError(
            "a channel asks for one customer: name the --customer, or say --customer '*'"
        )
    said = token_for(
        settings_of(data_dir),
        Caller(who, roles, customer, tuple(sources) if sources else None),
        hours,
    )
    print(curl_file(said, purpose), end="") if curl else print(said)
