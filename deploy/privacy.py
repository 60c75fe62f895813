"""How does a privacy officer do what the law asks? Forget, replay what was forgotten, let another master key follow."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deploy.compose import existing_journal
from deploy.console import DataDir, Json, Mendable, errors, settings_of, show
from deploy.keys import with_another_master
from deploy.logs import set_up_logs
from deploy.settings import Settings
from replay.erasures import Erasures

privacy = typer.Typer(name="privacy", no_args_is_help=True, help="Forget customers for ever, and what goes with it.")

By = Annotated[str, typer.Option("--by", help="Who decided it.")]


@privacy.callback()
def begin() -> None:
    """Say what goes wrong, and nothing else, on standard error."""
    set_up_logs("warning", "privacy")


@privacy.command()
def forget(
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded, so name nobody.")],
    customers: Annotated[list[str] | None, typer.Argument(help="Their numbers, without `customer:`.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A file with more of them, one a line.", exists=True, dir_okay=False)] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Destroy the keys of customers, and all that was made of what they open. There is no way back."""
    named = [*(customers or []), *(file.read_text(encoding="utf-8").split() if file else [])]
    if not named:
        raise Mendable("name customers, or a --file of them")
    _forget(settings_of(data_dir), [f"customer:{name}" for name in dict.fromkeys(named)], by, reason, as_json)


@privacy.command()
def replay(by: By = "restore", data_dir: DataDir = None, as_json: Json = False) -> None:
    """Forget again all who are in the register: before a system that was restored from a backup may serve."""
    settings = settings_of(data_dir)
    journal = existing_journal(settings, restored=True)
    subjects = [erased.subject for erased in Erasures(settings.erasures_file).all()]
    assert journal.keyring is not None
    back = sorted(set(subjects) - journal.keyring.destroyed(subjects))
    if back:
        _forget(settings, back, by, "forgotten before, and restored", as_json)
    else:
        show({"forgotten": len(set(subjects)), "restored": 0}, as_json)


@privacy.command()
def rotate(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Let another master key follow: every customer's key is wrapped by it, and the one before is destroyed."""
    settings = settings_of(data_dir)
    keyring = existing_journal(settings).keyring
    assert keyring is not None
    show({"master": with_another_master(settings, keyring)}, as_json)


def _forget(settings: Settings, subjects: list[str], by: str, reason: str, as_json: bool) -> None:
    from deploy.forgetting import certified, forgotten

    certificate = asyncio.run(forgotten(settings, existing_journal(settings, restored=True), subjects, by, reason))
    folder = settings.data_dir / "certificates"
    folder.mkdir(exist_ok=True)
    file = folder / f"{certificate.at.replace(':', '')}.txt"
    file.write_text(certified(settings, certificate), encoding="utf-8")
    if as_json:
        print(json.dumps({**asdict(certificate), "certificate": str(file)}))
    else:
        show(certificate.places, as_json)
    errors.print(f"certificate: {file}", soft_wrap=True, markup=False)
    if certificate.wrong:
        for said in certificate.wrong:
            errors.print(said, markup=False)
        raise typer.Exit(1)
