"""Who gives a command: by a token, by the login, or by what is typed where that is believed."""

import getpass
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.who import decided_by
from deploy.keys import token_for
from deploy.settings import Settings
from deploy.terminal import UserError
from domain.access.roles import Caller
from domain.event import Role

LOGIN = getpass.getuser().casefold()


def settings(folder: Path, **chosen: Any) -> Settings:
    """Settings of a bank in a folder."""
    return Settings.model_validate({"data_dir": folder, **chosen})


def with_token(folder: Path, name: str, *roles: Role, **chosen: Any) -> Settings:
    """The same with somebody's token."""
    token = token_for(settings(folder), Caller(name, roles), 1.0)
    return settings(folder, token=token, **chosen)


def test_a_token_says_who_it_is(tmp_path: Path) -> None:
    """Spelt in one way; what is typed may only repeat it."""
    believed = with_token(tmp_path, "Li.Wei@bank", "tier-owner", who="token")

    assert decided_by(believed, "", "tier-owner") == "li.wei@bank"
    assert decided_by(believed, "li-wei", "tier-owner") == "li.wei@bank"
    with pytest.raises(UserError, match=r"--by zhang\.min: you are li\.wei@bank by your token"):
        decided_by(believed, "zhang.min", "tier-owner")


def test_a_token_for_something_else_lets_nobody_decide(tmp_path: Path) -> None:
    """Of another role, or one that cannot be read; the answer does not repeat it."""
    with pytest.raises(UserError, match="this is for the role tier-owner"):
        decided_by(with_token(tmp_path, "li.wei", "operator"), "", "tier-owner")
    with pytest.raises(UserError, match="lets nobody in") as error:
        decided_by(settings(tmp_path, token="some.secret.thing"), "", "tier-owner")
    assert "secret" not in str(error.value)


def test_where_tokens_are_asked_for_nothing_else_is_believed(tmp_path: Path) -> None:
    """Neither the login nor what is typed."""
    with pytest.raises(UserError, match="give it as TIERFOLD_TOKEN"):
        decided_by(settings(tmp_path, who="token"), "li.wei", "tier-owner")


def test_beside_components_of_a_bank_it_is_the_login(tmp_path: Path) -> None:
    """Nobody approves under another name than their own."""
    bank = settings(tmp_path, embedded=False)

    assert decided_by(bank, "", "tier-owner") == LOGIN
    assert decided_by(bank, LOGIN.upper(), "tier-owner") == LOGIN
    with pytest.raises(UserError, match="by your login"):
        decided_by(bank, "zhang.min", "tier-owner")


@pytest.mark.parametrize(
    ("said", "otherwise", "name"),
    [
        ("Ｌｉ.Wei ", None, "li.wei"),  # noqa: RUF001 - full width is meant
        ("", "retention", "retention"),
        ("", None, LOGIN),
    ],
)
def test_beside_the_embedded_stack_a_name_may_be_typed(
    tmp_path: Path, said: str, otherwise: str | None, name: str
) -> None:
    """In whatever width and case; else whoever else is meant, or the login."""
    assert decided_by(settings(tmp_path), said, "privacy-officer", otherwise) == name
