"""How do commands speak to people and machines?

Progress on standard error, one report on standard output.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from deploy.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

errors = Console(stderr=True)

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", is_eager=True, help="Where the embedded stack keeps its state."),
]
Json = Annotated[
    bool,
    typer.Option(
        "--json", help="For machines: one JSON document as the last line of standard output."
    ),
]


def settings_of(data_dir: Path | None = None) -> Settings:
    """The settings from the environment, with what was said on the command line.

    Raises `UserError` that names each variable which cannot be used.
    """
    try:
        return Settings(data_dir=data_dir) if data_dir else Settings()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        raise UserError("; ".join(map(_of_setting, faults))) from error
    except SettingsError as error:
        _, name, _ = str(error).split('"', 2)
        raise UserError(f"TIERFOLD_{name.upper()}: this is no JSON") from error


def _of_setting(fault: "ErrorDetails") -> str:
    name = "".join(f"TIERFOLD_{place}: ".upper() for place in fault["loc"])
    return name + fault["msg"].removeprefix("Value error, ")


class UserError(Exception):
    """Something that whoever gave the command can mend; says what to do."""


@contextmanager
def progress(word: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error; gives the function that moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
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
        print(json.dumps(report, ensure_ascii=False))
    else:
        width = max(map(len, report), default=0)
        for name, value in report.items():
            print(f"{name:<{width}}  {value}")
