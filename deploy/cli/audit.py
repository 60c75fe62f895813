"""Was anything changed, and what can be shown to whoever trusts nobody? The auditor's commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.keys import BUNDLES, NOTARY, public_keys, signer_of
from deploy.terminal import DataDir, Json, UserError, errors, progress, settings_of, show
from deploy.wiring import existing_journal, notary_of

if TYPE_CHECKING:
    from replay.rebuild.verify import Finding

Customer = Annotated[str, typer.Argument(help="The customer's number, without `customer:`.")]
File = Annotated[Path, typer.Argument(help="A bundle.", exists=True, dir_okay=False)]
Keys = Annotated[
    Path | None,
    typer.Option(
        "--keys",
        help="Public keys to trust, one a line; default: the bank's own.",
        exists=True,
        dir_okay=False,
    ),
]


def keys(data_dir: DataDir = None) -> None:
    """Print the public keys, one a line.

    Hand them to auditors, once, by a way that nobody else can change.
    """
    settings = settings_of(data_dir)
    for role in (NOTARY, BUNDLES):
        signer_of(settings, role)
    for public in public_keys(settings):
        print(public)


def sign(data_dir: DataDir = None, as_json: Json = False) -> None:
    """Sign the heads of all shards and take a census now, where no notary is running."""
    from replay.evidence.notary import Busy

    settings = settings_of(data_dir)
    existing_journal(settings)
    try:
        doubts = notary_of(settings).sign()
    except Busy as error:
        raise UserError(
            f"a notary is running: it signs what is new within {settings.checkpoint_seconds} "
            "seconds"
        ) from error
    show({"shards": settings.shards, "doubted": doubts}, as_json)
    if doubts:
        raise typer.Exit(1)


def verify_journal(keys: Keys = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Hold every event to its hash, its stream and the signed checkpoints.

    Name the position of each that was changed.
    """
    from replay.evidence.folder import Evidence
    from replay.evidence.verify_journal import journal_held

    settings = settings_of(data_dir)
    journal, trusted = existing_journal(settings), public_keys(settings, keys)
    found: list[Finding] = []
    leaves = 0
    with progress("events held to their hashes", sum(shard.size() for shard in journal)) as advance:
        for shard in journal:
            evidence = Evidence(settings.evidence_dir, shard.number)
            for seen in journal_held(
                shard, evidence, f"{settings.origin}/shard/{shard.number}", trusted
            ):
                leaves += seen.leaves
                found += seen.findings
                advance(seen.leaves)
    checkpoints = sum(
        len(Evidence(settings.evidence_dir, number).checkpoints())
        for number in range(settings.shards)
    )
    show(
        {
            "events": leaves,
            "checkpoints": checkpoints,
            "findings": [finding._asdict() for finding in found] if as_json else len(found),
        },
        as_json,
    )
    if found:
        if not as_json:
            for finding in found:
                print(f"shard {finding.shard}, {finding.where}: {finding.said} ({finding.kind})")
        raise typer.Exit(1)


def bundle(
    customer: Customer,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write it; default: CUSTOMER.bundle here.")
    ] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Write one file that proves a customer's history to whoever trusts nobody.

    Events, proofs, policies, decisions explained.
    """
    from deploy.operations.bundles import bundle_of

    made = bundle_of(settings_of(data_dir), customer)
    file = out or Path(f"{customer.replace('/', '_')}.bundle")
    file.write_bytes(made.content)
    show(
        {
            "file": str(file),
            "bytes": len(made.content),
            "events": made.events,
            "newer": made.newer,
            "decisions": made.decisions,
        },
        as_json,
    )
    if made.newer:
        errors.print(f"{made.newer} events are newer than the last checkpoint, and not in it")


def verify(file: File, keys: Keys = None, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Verify a bundle offline: nothing is needed but public keys."""
    with _doubts(file):
        from replay.evidence.verify_bundle import audit as audited

        found, _ = audited(file.read_bytes(), public_keys(settings_of(data_dir), keys))
    show({"verified": True, **asdict(found)}, as_json)


def report(
    file: File,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where to write it; default: beside the bundle, as .html."),
    ] = None,
    keys: Keys = None,
    data_dir: DataDir = None,
) -> None:
    """Verify a bundle, and tell its story in order as a page to read or print."""
    with _doubts(file):
        from deploy.reports.story import story
        from replay.evidence.verify_bundle import audit as audited

        found, document = audited(file.read_bytes(), public_keys(settings_of(data_dir), keys))
    page = out or file.with_suffix(".html")
    page.write_bytes(story(found, document))
    errors.print(f"report: {page}", soft_wrap=True, markup=False)


@contextmanager
def _doubts(file: Path) -> Iterator[None]:
    """A bundle that does not prove what it says is told by its name, and ends the
    command with 1.
    """
    from replay.evidence.signed_note import ProofError

    try:
        yield
    except ProofError as doubt:
        errors.print(
            f"[bold red]{file} is not verified:[/] {doubt}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(1) from doubt


def certificate(
    file: Annotated[
        Path,
        typer.Argument(help="A certificate of the privacy office.", exists=True, dir_okay=False),
    ],
    keys: Keys = None,
    data_dir: DataDir = None,
) -> None:
    """Check who signed a certificate of forgetting, and print it."""
    from replay.evidence.signed_note import opened

    trusted = public_keys(settings_of(data_dir), keys)
    with _doubts(file):
        print(opened(file.read_text(encoding="utf-8"), trusted).text, end="")


def access(customer: Customer, data_dir: DataDir = None, as_json: Json = False) -> None:
    """Say who looked at what is known of a customer.

    When, as what, for what, and which question it was.
    """
    from replay.history.access_log import accesses_of, as_told

    looks = list(
        accesses_of(
            existing_journal(settings_of(data_dir), for_auditors=True), f"customer:{customer}"
        )
    )
    if as_json:
        show({"customer": customer, "looks": [*map(as_told, looks)]}, as_json)
        return
    table = Table(
        "when", "who", "as", "for", "what", title=f"{len(looks)} looks at customer {customer}"
    )
    for at, look in looks:
        table.add_row(f"{at:%Y-%m-%d %H:%M:%S %z}", look.who, look.role, look.purpose, look.what)
    Console().print(table)
