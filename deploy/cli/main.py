"""What can be asked on the command line? `tierfold`, one command per process, and the tools of those who run them.

Commands import what they need when they run: nobody waits for a model library to see the help.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from deploy.cli.audit import audit
from deploy.cli.decisions import replay
from deploy.cli.models import models
from deploy.cli.privacy import privacy
from deploy.cli.quarantine import quarantine
from deploy.cli.tokens import token
from deploy.observability.logs import set_up_logs
from deploy.observability.spans import set_up_traces
from deploy.settings import Settings
from deploy.terminal import DataDir, Json, Mendable, errors, progress, settings_of, show, until_signal

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tiers, folded from history.")
app.add_typer(quarantine)
app.add_typer(replay)
app.add_typer(models)
app.add_typer(audit)
app.add_typer(privacy)
app.command()(token)

OUTSIDE = frozenset({"psycopg", "redis", "kafka", "eventsourcing", "sqlite3", "streams", "replay"})
"""Whose errors say what is wrong with what we reach: a sentence of them is worth more than where in our code they came up."""
EVENTS = "CloudEvents as JSON lines; - for standard input."
Customers = Annotated[int, typer.Option(min=1, max=20_000_000, help="How many customers.")]
Months = Annotated[int, typer.Option(min=1, max=240, help="How many months of history.")]
Seed = Annotated[int, typer.Option(help="Same seed, same bytes.")]


@app.command()
def intake() -> None:
    """Run the intake: messages become events in the journal."""
    from deploy.processes import run_intake

    set_up_logs(Settings().log_level, "intake")
    set_up_traces("intake")
    run_intake(Settings())


@app.command()
def agents() -> None:
    """Run the Faust agents: events become read models."""
    from deploy.processes import run_agents

    set_up_logs(Settings().log_level, "agents")
    set_up_traces("agents")
    run_agents(Settings())


@app.command()
def web() -> None:
    """Run the lookups over HTTP."""
    from deploy.processes import run_web

    set_up_logs(Settings().log_level, "web")
    set_up_traces("web")
    run_web(Settings())


@app.command()
def guard() -> None:
    """Run the guard: verify every event and every state, round after round, and tell by metrics what is wrong."""
    from deploy.processes import run_guard

    set_up_logs(Settings().log_level, "guard")
    run_guard(Settings())


@app.command()
def notary() -> None:
    """Run the notary: sign the head of every shard's tree, and take a census a day."""
    from deploy.processes import run_notary

    set_up_logs(Settings().log_level, "notary")
    run_notary(Settings())


@app.command()
def witness(
    logs: Annotated[Path, typer.Option("--logs", help="The public keys of those whose checkpoints are cosigned, one a line.", exists=True, dir_okay=False)],
    folder: Annotated[Path, typer.Option("--folder", help="Where it keeps what it has seen.", file_okay=False)] = Path("witness"),
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 8081,
    data_dir: DataDir = None,
) -> None:
    """Run a witness: cosign checkpoints that follow on those seen before, and no others. Best on a machine of somebody else's."""
    from deploy.processes import run_witness

    settings = settings_of(data_dir).model_copy(update={"port": port})
    set_up_logs(settings.log_level, "witness")
    run_witness(settings, logs, folder)


@app.command()
def up(data_dir: DataDir = None) -> None:
    """Run the embedded stack: broker, Redis, intake, agents, web, guard and notary under one supervisor, until Ctrl-C."""
    from deploy.embedded.supervisor import running

    settings = settings_of(data_dir)
    set_up_logs(settings.log_level, "up")
    stop = until_signal()
    with running(settings) as stack:
        errors.print(
            f"tierfold is up: {settings.address}, tokens in {settings.data_dir / 'tokens'}, Kafka at {settings.broker}, logs in {settings.data_dir / 'logs'}",
            soft_wrap=True,
        )
        stack.watch(stop)


@app.command()
def components(
    folder: Annotated[Path, typer.Option("--folder", help="Where they keep their state.", file_okay=False)] = Path(".components"),
    brokers: Annotated[int, typer.Option("--brokers", min=1, max=9, help="How many Kafka brokers.")] = 1,
    secure: Annotated[bool, typer.Option("--secure", help="Kafka lets in by SCRAM only, and ACLs say who may do what.")] = False,
) -> None:
    """Run Apache Kafka, PostgreSQL and Redis on this machine, until Ctrl-C; for those who have none running. Needs java, mvn, postgresql, redis-server."""
    from deploy.components.together import components as started

    set_up_logs(Settings().log_level, "components")
    stop = until_signal()
    with started(folder, folder / "tools", brokers, secure=secure) as made:
        made.write_environments(folder)
        errors.print(f"components are up: set -a; . {folder / 'operator.env'}; set +a; then tierfold topics", soft_wrap=True)
        errors.print(f"then each process by the settings of its own user, as {folder / 'intake.env'}" if secure else "then tierfold up")
        made.watch(stop)


@app.command()
def topics(
    replicas: Annotated[int, typer.Option(min=1, help="Copies of each partition.")] = 1,
    check: Annotated[bool, typer.Option("--check", help="Make nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Make the topics, with one partition per shard, unless they are there; and look whether they are as they must be. Exit code 1 if not."""
    from deploy.wiring import broker_of

    settings = Settings()
    broker = broker_of(settings)
    if not check:
        broker.create_topics(settings.shards, replicas)
    faults = broker.topic_faults(settings.shards, replicas)
    show({"partitions": settings.shards, "faults": faults if as_json else len(faults)}, as_json)
    if faults:
        for fault in faults:
            errors.print(fault, soft_wrap=True)
        raise typer.Exit(1)


@app.command()
def tables() -> None:
    """Make the tables of the journal and of the keys, unless they are there; as whoever owns them, before anything else runs."""
    from deploy.wiring import journal_of

    journal = journal_of(Settings())
    assert journal.keyring is not None
    show({"shards": len(list(journal)), "keys": journal.keyring.counts().there}, as_json=False)


@app.command()
def feed(
    file: Annotated[str | None, typer.Argument(help=EVENTS)] = None,
    berka: Annotated[Path | None, typer.Option("--berka", help="The folder of the PKDD'99 bank's .asc files.", exists=True, file_okay=False)] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Send interactions in, and wait until every one is safe."""
    from deploy.operations.feed import feed_all, sources

    if (file is None) == (berka is None):
        raise typer.BadParameter("name a FILE, or - for standard input, or --berka DIR")
    set_up_logs("warning", "feed")
    with progress("safe") as advance:
        report = feed_all(settings_of(data_dir), sources(file, berka), advance)
    show(report, as_json)
    if report["unsendable"]:
        errors.print(f"{report['unsendable']} lines are too large for the broker and were not sent")
        raise typer.Exit(1)


@app.command()
def synth(customers: Customers = 1000, months: Months = 12, seed: Seed = 1) -> None:
    """Write a synthetic bank as CloudEvents, one JSON line each, on standard output."""
    import sys

    from streams.ingest.cloudevents import write
    from streams.sources.synth import Bank, synth

    for event in synth(Bank(customers, months, seed)):
        sys.stdout.buffer.write(write(event) + b"\n")


@app.command()
def demo(
    customers: Customers = 1000,
    months: Months = 6,
    seed: Seed = 1,
    exit_: Annotated[bool, typer.Option("--exit", help="Leave after the summary.")] = False,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Run the embedded stack on a synthetic bank, print a summary, and stay up."""
    from deploy.operations.demo import run_demo
    from streams.sources.synth import Bank

    settings = settings_of(data_dir)
    set_up_logs("warning", "demo")
    run_demo(settings, Bank(customers, months, seed), leave=exit_, as_json=as_json)


@app.command()
def digest(
    data_dir: DataDir = None,
    rebuilt: Annotated[bool, typer.Option("--rebuild", help="Fold the journal anew, instead of reading the live states.")] = False,
    as_json: Json = False,
) -> None:
    """Print the digest of every projection: live, or rebuilt from the journal. The two must be equal."""
    import asyncio

    from deploy.operations.digest import live_digests, rebuilt_digests

    set_up_logs("warning", "digest")
    settings = settings_of(data_dir)
    show(asyncio.run(rebuilt_digests(settings) if rebuilt else live_digests(settings)), as_json)


@app.command()
def schema(folder: Annotated[Path, typer.Argument(help="Where to write the files.", file_okay=False)]) -> None:
    """Write the JSON Schema of every event type, and an AsyncAPI document, for the teams of the core systems."""
    from deploy.operations.schemas import write_schemas

    show({"files": write_schemas(folder), "folder": str(folder)}, as_json=False)


def main() -> None:
    """The `tierfold` command."""
    try:
        app()
    except Exception as error:
        if not isinstance(error, Mendable | OSError | ValueError) and type(error).__module__.partition(".")[0] not in OUTSIDE:
            raise
        said = str(error) or type(error).__name__
        errors.print(f"[bold red]tierfold:[/] {escape(said)}", highlight=False, soft_wrap=True)
        raise SystemExit(2) from error
