"""What the runbook says of backups brings a bank back that has lost its disk."""

import re
import shlex
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from deploy.operations import backup
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import TIERFOLD, Running, environment_of, settings_in

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"


def blocks() -> list[str]:
    """The shell blocks of the section: how to copy, and how to put back."""
    text = RUNBOOK.read_text(encoding="utf-8")
    section = text.partition("## Backup and restore")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def run(running: Running, block: str, folder: Path) -> str:
    """A block, as a person pastes it; gives what it says."""
    script = block.replace(".venv/bin/tierfold", shlex.join(TIERFOLD))
    done = subprocess.run(
        ["/bin/bash", "-euc", script],
        cwd=folder,
        env=environment_of(running.settings),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_a_bank_is_copied_while_it_runs_and_put_back(tmp_path: Path) -> None:
    """Fed on behind the copy, and lost: it stands where the copy was made, proven and whole."""
    copied, restored = blocks()
    events = [write(event) for event in synth(Bank(customers=20, months=2, seed=7))]
    half = len(events) // 2
    (tmp_path / "first.jsonl").write_bytes(b"\n".join(events[:half]))
    (tmp_path / "then.jsonl").write_bytes(b"\n".join(events[half:]))
    with Running(settings_in(tmp_path / ".tierfold")) as bank:
        bank.report("feed", str(tmp_path / "first.jsonl"))
        bank.settle()
        run(bank, copied, tmp_path)
        kept = bank.report("digest")
        again = bank.run("backup", "journal", str(tmp_path / "backup" / "journal"))
        bank.report("feed", str(tmp_path / "first.jsonl"))
        bank.stop()

        said = run(bank, restored, tmp_path)
        bank.start()
        bank.settle()

        assert re.search(r"checkpoints\s+[1-9]", said), said
        assert bank.report("digest") == kept
        assert again.returncode == 2
        assert b"is there already: name a new folder" in again.stderr
        fed = bank.report("feed", str(tmp_path / "then.jsonl"))
        assert (fed["quarantined"], fed["refused"], fed["already"]) == (0, 0, 0)


@pytest.mark.parametrize("what", ["journal", "vault"])
def test_nothing_is_copied_where_there_is_no_bank(tmp_path: Path, what: str) -> None:
    """With a sentence, and without a folder left behind."""
    bank = Running(settings_in(tmp_path / "none"))

    done = bank.run("backup", what, str(tmp_path / "copy"))

    assert done.returncode == 2
    assert b"is this the bank's data folder?" in done.stderr
    assert not (tmp_path / "copy").exists()


def test_a_copy_ends_although_others_write_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the file was when it began, however often somebody commits between two steps."""
    monkeypatch.setattr(backup, "PAGES", 20)
    file = tmp_path / "shard-0.db"
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE rows (said BLOB)")
        writer.executemany("INSERT INTO rows VALUES (?)", [(bytes(3_000),)] * 500)
        writer.commit()
        steps: list[int] = []

        def advance(count: int) -> None:
            steps.append(count)
            assert len(steps) < 1_000, "it begins anew, again and again"
            writer.execute("INSERT INTO rows VALUES ('late')")
            writer.commit()

        backup.copy([file], tmp_path / "copy", advance)
    with closing(sqlite3.connect(tmp_path / "copy" / "shard-0.db")) as copied:
        [(count,)] = copied.execute("SELECT COUNT(*) FROM rows")

    assert (count, len(steps) > 10) == (500, True)
