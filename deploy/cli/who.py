"""Who gives a command?

A token says so, or the login; what is typed counts only where the settings believe it.
"""

import asyncio
import getpass
from typing import Any

import click
import typer

from deploy.settings import Settings
from deploy.terminal import UserError, settings_of
from domain.access.four_eyes import same_person, spelt
from domain.event import Role


def by(asked: str, role: Role, otherwise: str | None = None) -> Any:
    """The option `--by` of commands for a role; `otherwise` is said where nobody is named."""

    def decided(context: click.Context, said: str) -> str:
        if context.resilient_parsing:
            return said
        return decided_by(settings_of(context.params.get("data_dir")), said, role, otherwise)

    return typer.Option(
        "--by",
        default_factory=str,
        show_default=otherwise or "who is logged in",
        callback=decided,
        help=asked,
    )


def decided_by(settings: Settings, said: str, role: Role, otherwise: str | None = None) -> str:
    """By whom a command is given, spelt in one way.

    By the token (TIERFOLD_TOKEN), if there is one, which must be for the role. Else by the login;
    what was `said` counts where TIERFOLD_WHO is `typed`, and elsewhere may only repeat it. Raises
    `UserError`.
    """
    said = spelt(said)
    if settings.token is not None:
        name, known = _of_token(settings, settings.token.get_secret_value(), role), "token"
    elif settings.believed_who == "token":
        raise UserError("a token says who decides: give it as TIERFOLD_TOKEN")
    elif settings.believed_who == "typed":
        return said or otherwise or _login()
    else:
        name, known = _login(), "login"
    if said and not same_person(said, name):
        raise UserError(f"--by {said}: you are {name} by your {known}; leave --by out")
    return name


def _of_token(settings: Settings, token: str, role: Role) -> str:
    from deploy.keys import tokens_of
    from streams.web.security.tokens import BadToken

    try:
        caller = asyncio.run(tokens_of(settings).caller(token))
    except BadToken as error:
        raise UserError(f"the token in TIERFOLD_TOKEN lets nobody in: {error}") from error
    if role not in caller.roles:
        raise UserError(
            f"this is for the role {role}, and the token is for {', '.join(caller.roles)}"
        )
    return spelt(caller.who)


def _login() -> str:
    return spelt(getpass.getuser())
