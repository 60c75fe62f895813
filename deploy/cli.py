"""What can be asked on the command line? One command per process, and the tools of those who run them."""

import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy import compose
from deploy.files import BadFile
from deploy.logs import set_up_logs
from deploy.settings import Settings
from deploy.up import CannotStart, Stack
from projections.redis import RedisStore
from replay.digests import digests
from replay.rebuild import rebuild
from streams.feed import feed, lines, written
from streams.sources.berka import berka

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Tiers, folded from history.")
errors = Console(stderr=True)

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="Where the embedded stack keeps its state.")]
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON document as the last line of standard output.")]


def settings_of(data_dir: Path | None = None) -> Settings:
    """The settings from the environment, with what was said on the command line."""
    return Settings(data_dir=data_dir) if data_dir else Settings()


@app.command()
def intake() -> None:
    """Run the intake: messages become events in the journal."""
    set_up_logs(Settings().log_level, "intake")
    compose.run_intake(Settings())


@app.command()
def agents() -> None:
    """Run the Faust agents: events become read models."""
    set_up_logs(Settings().log_level, "agents")
    compose.run_agents(Settings())


@app.command()
def web() -> None:
    """Run the lookups over HTTP."""
    set_up_logs(Settings().log_level, "web")
    compose.run_web(Settings())


@app.command()
def up(data_dir: DataDir = None) -> None:
    """Run the embedded stack: broker, Redis, intake, agents and web under one supervisor, until Ctrl-C."""
    settings = settings_of(data_dir)
    set_up_logs(settings.log_level, "up")
    stop = until_signal()
    with running(settings) as stack:
        errors.print(f"tierfold is up: http://{settings.host}:{settings.port}/docs, Kafka at {settings.broker}, logs in {settings.data_dir / 'logs'}")
        stack.watch(stop)


@app.command("feed")
def feed_command(
    file: Annotated[str | None, typer.Argument(help="CloudEvents as JSON lines; - for standard input.")] = None,
    berka_folder: Annotated[Path | None, typer.Option("--berka", help="The folder of the PKDD'99 bank's .asc files.", exists=True, file_okay=False)] = None,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Send interactions in, and wait until every one is safe."""
    if (file is None) == (berka_folder is None):
        raise typer.BadParameter("name a FILE, or - for standard input, or --berka DIR")
    settings = settings_of(data_dir)
    set_up_logs("warning", "feed")
    raws: Iterator[bytes | None] = written(berka(berka_folder)) if berka_folder else lines(file or "-")
    started = time.monotonic()
    with compose.courier_of(settings, compose.journal_of(settings)) as courier, progress("safe") as advance:
        parts = feed(raws, courier, settings.shards, advance)
    seconds = time.monotonic() - started
    report = {"sent": parts.sent, "unsendable": parts.unsendable, "seconds": round(seconds, 3), "events_per_second": round(parts.sent / seconds)}
    show(report, as_json)


@app.command("digest")
def digest_command(
    data_dir: DataDir = None,
    rebuilt: Annotated[bool, typer.Option("--rebuild", help="Fold the journal anew, instead of reading the live states.")] = False,
    as_json: Json = False,
) -> None:
    """Print the digest of every projection: live, or rebuilt from the journal. The two must be equal."""
    settings = settings_of(data_dir)
    show(asyncio.run(_digests(settings, rebuilt)), as_json)


async def _digests(settings: Settings, rebuilt: bool) -> dict[str, str]:
    groups = compose.groups_of(settings)
    store = await rebuild(groups, compose.journal_of(settings)) if rebuilt else RedisStore(settings.redis)
    return await digests(groups, store, settings.shards)


@contextmanager
def running(settings: Settings) -> Iterator[Stack]:
    """The embedded stack, started, and stopped at the end."""
    stack = Stack(settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@contextmanager
def progress(word: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; gives the function that moves it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(word, total=total)
        yield lambda count: bar.advance(task, count)


def until_signal() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def show(report: dict[str, Any], as_json: bool) -> None:
    """A report: a line per entry for people, one line for machines."""
    if as_json:
        print(json.dumps(report))
    else:
        width = max(map(len, report), default=0)
        for name, value in report.items():
            print(f"{name:<{width}}  {value}")


def main() -> None:
    """The `tierfold` command."""
    try:
        app()
    except (BadFile, CannotStart, FileNotFoundError, ValueError) as error:
        errors.print(f"[bold red]tierfold:[/] {error}", highlight=False)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
