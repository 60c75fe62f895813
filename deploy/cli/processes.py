"""Which processes run? One command each; `up` starts them all on one machine."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.observability.logs import set_up_logs
from deploy.settings import Settings
from deploy.terminal import DataDir, settings_of


def intake() -> None:
    """Run the intake: messages become events in the journal."""
    from deploy.processes import run

    run("intake", Settings())


def agents() -> None:
    """Run the Faust agents: events become read models."""
    from deploy.processes import run

    run("agents", Settings())


def web() -> None:
    """Run the lookups over HTTP."""
    from deploy.processes import run

    run("web", Settings())


def guard() -> None:
    """Run the guard: verify every event and every state, round after round, and tell by metrics
    what is wrong.
    """
    from deploy.processes import run

    run("guard", Settings())


def notary() -> None:
    """Run the notary: sign the head of every shard's tree, and take a census a day."""
    from deploy.processes import run

    run("notary", Settings())


def console() -> None:
    """Run the web console: pages over the answers of the lookups."""
    from deploy.processes import run

    run("console", Settings())


def job(
    file: Annotated[Path, typer.Argument(help="The job, as the lookups wrote it.", exists=True)],
) -> None:
    """Do a job that somebody began over HTTP, and say in its file what came of it. The lookups
    start this.
    """
    from deploy.operations.jobs import perform

    perform(Settings(), file)


def outbox() -> None:
    """Run the outbox: tell subscribers what happened, by webhook and on the topic of notices."""
    from deploy.processes import run

    run("outbox", Settings())


def witness(
    logs: Annotated[
        Path,
        typer.Option(
            "--logs",
            help="The public keys of those whose checkpoints are cosigned, one a line.",
            exists=True,
            dir_okay=False,
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--folder", help="Where it keeps what it has seen.", file_okay=False)
    ] = Path("witness"),
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8081,
    data_dir: DataDir = None,
) -> None:
    """Run a witness: cosign checkpoints that follow on those seen before, and no others.

    Best on a machine of somebody else's.
    """
    from deploy.processes import run_witness

    settings = settings_of(data_dir).model_copy(update={"port": port})
    set_up_logs(settings.log_level, "witness")
    run_witness(settings, logs, folder)
