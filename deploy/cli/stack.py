"""How does the stack come up, and what does it need before? Services, topics and tables."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.observability.logs import set_up_logs
from deploy.settings import Settings
from deploy.terminal import DataDir, Json, errors, settings_of, show, until_signal


def up(data_dir: DataDir = None) -> None:
    """Run the embedded stack.

    Broker, Redis, intake, agents, web, console, guard and notary under one supervisor, until
    Ctrl-C.
    """
    from deploy.embedded import children

    children.prepare()
    from deploy.embedded.supervisor import running, starting

    settings = settings_of(data_dir)
    set_up_logs(settings.log_level, "up")
    stop = until_signal()
    errors.print(starting(settings))
    with running(settings) as stack:
        errors.print(
            f"tierfold is up: {settings.address}, tokens in {settings.data_dir / 'tokens'}, Kafka "
            f"at {settings.broker}, logs in {settings.data_dir / 'logs'}",
            soft_wrap=True,
        )
        stack.watch(stop)


def components(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where they keep their state.", file_okay=False)
    ] = Path(".components"),
    brokers: Annotated[
        int, typer.Option("--brokers", min=1, max=9, help="How many Kafka brokers.")
    ] = 1,
    secure: Annotated[
        bool,
        typer.Option("--secure", help="Kafka lets in by SCRAM only, and ACLs say who may do what."),
    ] = False,
) -> None:
    """Run Apache Kafka, PostgreSQL and Redis on this machine, until Ctrl-C.

    For those who have none running. Needs java, mvn, postgresql, redis-server.
    """
    from deploy.components.together import components as started

    set_up_logs(Settings().log_level, "components")
    stop = until_signal()
    with started(folder, folder / "tools", brokers, secure=secure) as made:
        made.write_environments(folder)
        errors.print(
            f"components are up: set -a; . {folder / 'operator.env'}; set +a; then tierfold topics",
            soft_wrap=True,
        )
        errors.print(
            f"then each process by the settings of its own user, as {folder / 'intake.env'}"
            if secure
            else "then tierfold up"
        )
        made.watch(stop)


def topics(
    replicas: Annotated[int, typer.Option(min=1, help="Copies of each partition.")] = 1,
    check: Annotated[bool, typer.Option("--check", help="Make nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Make the topics, with one partition per shard, unless they are there.

    And look whether they are as they must be. Exit code 1 if not.
    """
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


def tables() -> None:
    """Make the tables of the journal and of the keys, unless they are there.

    As whoever owns them, before anything else runs.
    """
    from deploy.wiring import journal_of

    journal = journal_of(Settings())
    assert journal.keyring is not None
    show({"shards": len(list(journal)), "keys": journal.keyring.counts().there}, as_json=False)
