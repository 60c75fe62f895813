"""How does a privacy officer do what the law asks?

Report, export, restrict, forget when the time is over, replay, rotate.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.who import by
from deploy.keys import with_another_master
from deploy.settings import Settings
from deploy.terminal import DataDir, Json, UserError, errors, settings_of, show
from deploy.wiring import existing_journal
from replay.erasure.register import Erasures

if TYPE_CHECKING:
    from deploy.operations.orders import Command

By = Annotated[str, by("Who decided it.", "privacy-officer")]
ByRetention = Annotated[str, by("Who decided it.", "privacy-officer", "retention")]
ByRestore = Annotated[str, by("Who decided it.", "privacy-officer", "restore")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded, so name nobody.")]
Customers = Annotated[list[str] | None, typer.Argument(help="Their numbers, without `customer:`.")]
OfFile = Annotated[
    Path | None,
    typer.Option(
        "--file", help="A file with more of them, one a line.", exists=True, dir_okay=False
    ),
]


def report(
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Write it as a page, to be read or printed.", dir_okay=False),
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say what is known, why, how long, who was forgotten, and which risks were seen.

    The policy beside what is held.
    """
    from deploy.active_groups import policies_of
    from deploy.reports.privacy import report_page
    from replay.erasure.disclosure import privacy_report

    settings = settings_of(data_dir)
    journal = existing_journal(settings, for_auditors=True)
    found = privacy_report(journal, policies_of(settings, journal).privacy)
    if html is not None:
        html.write_bytes(report_page(found))
    show(
        found
        if as_json
        else {name: value for name, value in found.items() if not isinstance(value, dict | list)},
        as_json,
    )


def export(
    customer: Annotated[str, typer.Argument(help="The customer's number, without `customer:`.")],
    by: By,
    out: Annotated[Path, typer.Option("--out", help="Where to write it, as JSON.", dir_okay=False)],
    html: Annotated[
        Path | None, typer.Option("--html", help="And as a page to read.", dir_okay=False)
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write what is in a customer's own stream, and follows from it, for the customer; of a person
    with several numbers that of each.

    That it was done is in the access journal.
    """
    from deploy.operations.disclosure import as_file, disclosed
    from deploy.reports.privacy import export_page

    found = disclosed(settings_of(data_dir), customer, by)
    out.write_bytes(as_file(found))
    if html is not None:
        html.write_bytes(export_page(found))
    show(
        {
            "customer": customer,
            "others": [*found["others"]],
            "events": sum(len(each["events"]) for each in (found, *found["others"].values())),
            "looks": sum(len(each["looks"]) for each in (found, *found["others"].values())),
            "file": str(out),
        },
        as_json,
    )


def restrict(
    by: By,
    reason: Reason,
    customers: Customers = None,
    file: OfFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let nobody but auditors read what is known of customers: what must be kept, and
    not be used.
    """
    from replay.erasure import commands

    settings = settings_of(data_dir)
    _do(commands.restrict, settings, _named(settings, customers, file), (by, reason), as_json)


def lift(
    by: By,
    reason: Reason,
    customers: Customers = None,
    file: OfFile = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Let what is known of restricted customers be used again."""
    from replay.erasure import commands

    settings = settings_of(data_dir)
    _do(commands.lift, settings, _named(settings, customers, file), (by, reason), as_json)


def forget(
    by: By,
    reason: Reason,
    customers: Customers = None,
    file: OfFile = None,
    early: Annotated[
        bool,
        typer.Option(
            "--early",
            help=(
                "Although the law may ask that it is kept: nothing of it can be shown to anybody "
                "any more."
            ),
        ),
    ] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Destroy the keys of customers, and all that was made of what they open.

    There is no way back.
    """
    from deploy.operations.orders import must_be_over
    from replay.erasure import commands

    settings = settings_of(data_dir)
    subjects = _named(settings, customers, file)
    if not early:
        must_be_over(settings, subjects)
    _do(commands.erase, settings, subjects, (by, reason), as_json)


def due(
    by: ByRetention,
    do: Annotated[bool, typer.Option("--forget", help="Forget them.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Say whose time is over by the last day that closed, and with --forget forget them.

    To be run once a day, after the bank's end of day.
    """
    from deploy.active_groups import policies_of
    from replay.erasure import commands
    from replay.erasure.retention import due as whose_time_is_over
    from replay.erasure.retention import last_day_closed

    settings = settings_of(data_dir)
    journal = existing_journal(settings, for_auditors=True)
    policy = policies_of(settings, journal).privacy
    left = whose_time_is_over(journal, policy.longest)
    if do and left:
        _do(
            commands.erase,
            settings,
            [each.stream for each in left],
            (by, f"left {policy.longest} years ago ({policy.label})"),
            as_json,
        )
    else:
        gone = [
            {"customer": each.stream, "left": str(each.left), "until": str(each.until)}
            for each in left
        ]
        show({"by": str(last_day_closed(journal)), "due": gone}, as_json)


def replay(by: ByRestore, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Forget again all who are in the register.

    After anything was restored (keys, journal, Redis), before it serves, and after a command was
    stopped. Where the embedded stack is down, this destroys the keys and removes the snapshot of
    the read models, so that the stack may start; give it once more then.
    """
    from deploy.operations.erasure import destroyed_at_rest, is_down
    from replay.erasure import commands

    settings = settings_of(data_dir)
    subjects = sorted({erased.subject for erased in Erasures(settings.erasures_file).all()})
    if not subjects:
        show({"subjects": []}, as_json)
    elif settings.embedded and is_down(settings):
        show({"subjects": subjects, **destroyed_at_rest(settings, subjects)}, as_json)
    else:
        _do(commands.erase, settings, subjects, (by, "forgotten before"), as_json)


def rotate(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Let another master key follow.

    Every customer's key is wrapped by it, and the one before is destroyed.
    """
    settings = settings_of(data_dir)
    keyring = existing_journal(settings).keyring
    assert keyring is not None
    show({"master": with_another_master(settings, keyring)}, as_json)


def _named(settings: Settings, customers: list[str] | None, file: Path | None) -> list[str]:
    """The streams of those who are named, with all numbers of each person.

    Raises `UserError` for nobody, and for somebody of whom nothing was ever recorded.
    """
    from deploy.operations.orders import people

    named = [*(customers or []), *(file.read_text(encoding="utf-8").split() if file else [])]
    if not named:
        raise UserError("name customers, or a --file of them")
    together = people(settings, named)
    if others := [each for each in together if each.removeprefix("customer:") not in named]:
        errors.print(
            f"the same people's, and treated with them: {', '.join(others)}", soft_wrap=True
        )
    return together


def _do(
    command: "Command", settings: Settings, subjects: list[str], why: tuple[str, str], as_json: bool
) -> None:
    from deploy.operations.orders import carry_out
    from replay.erasure.commands import Order

    certificate, file = carry_out(settings, command, Order(subjects, *why))
    if as_json:
        print(json.dumps({**asdict(certificate), "certificate": str(file)}))
    else:
        show(certificate.places, as_json)
    errors.print(f"certificate: {file}", soft_wrap=True, markup=False)
    for said in (left := certificate.not_done()):
        errors.print(f"not done: {said}", markup=False)
    if left:
        raise typer.Exit(1)
