"""How is a `tierfold` command run without waiting for its imports?

In a process forked from one that has made them.

It is the same command with the same environment, folder, input and output as from a shell; a stack
itself, and what the tests of the command line start, are started as people start them.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LOADED = [
    "deploy.cli.main",
    *(
        f"deploy.cli.{name}"
        for name in (
            "audit",
            "bank",
            "decisions",
            "models",
            "privacy",
            "quarantine",
            "rollout",
            "tokens",
            "what_if",
        )
    ),
    "deploy.operations.digest",
    "deploy.operations.erasure",
    "deploy.operations.feed",
    "deploy.operations.rollout",
    "replay.evidence.bundle",
    "replay.evidence.verify_journal",
    "replay.history.redecide",
    "replay.what_if.candidates",
    "streams.sources.synth",
    "tests.commands",
]
"""What most of them need."""


def run_command(
    words: tuple[str, ...],
    environment: dict[str, str],
    cwd: Path | None = None,
    input: bytes = b"",  # noqa: A002 - as `subprocess.run` calls it
    timeout: float = 300,
) -> "subprocess.CompletedProcess[bytes]":
    """Run `tierfold` with these words; raises `TimeoutExpired`."""
    context: Any = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    with tempfile.TemporaryDirectory() as folder:
        given, out, err = (Path(folder) / name for name in ("in", "out", "err"))
        given.write_bytes(input)
        process = context.Process(
            target=be, args=(words, environment, str(cwd or Path.cwd()), str(folder))
        )
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(["tierfold", *words], timeout)
        return subprocess.CompletedProcess(
            ["tierfold", *words], process.exitcode, out.read_bytes(), err.read_bytes()
        )


def be(words: tuple[str, ...], environment: dict[str, str], cwd: str, folder: str) -> None:
    """Be the command."""
    for number, name, flags in (
        (0, "in", os.O_RDONLY),
        (1, "out", os.O_WRONLY | os.O_CREAT),
        (2, "err", os.O_WRONLY | os.O_CREAT),
    ):
        os.dup2(os.open(f"{folder}/{name}", flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8") for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = ["tierfold", *words]
    from deploy.cli.main import main

    try:
        main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
