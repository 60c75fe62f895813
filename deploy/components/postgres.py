"""PostgreSQL from the machine's own package.

A cluster of databases in a folder, on loopback, let in by password.
"""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from deploy.components.program import Missing, Program, account

OWNER = "tierfold"
DATABASE = "tierfold"
ACCOUNT = "postgres"
"""As whom it runs where we are root."""
CONFIG = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 256MB
max_connections = 200
max_wal_size = 4GB
"""


class Postgres:
    """A server in a folder; it keeps what it acknowledged, whoever kills it."""

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self._folder = folder.resolve()
        self._password = password
        self._port = port
        data = self._folder / "data"
        command = [_program("postgres"), "-D", str(data), "-p", f"{self._port}"]
        # trap: after a SIGTERM PostgreSQL waits for its clients
        self.program = Program(
            "postgres",
            command,
            f"127.0.0.1:{self._port}",
            self._folder / "postgres.log",
            self._answers,
            user=ACCOUNT,
            farewell=signal.SIGINT,
        )

    @property
    def url(self) -> str:
        """The database's URL, for its owner."""
        return f"postgresql://{OWNER}:{self._password}@127.0.0.1:{self._port}/{DATABASE}"

    def start(self) -> None:
        """Make what is new, start it, wait until it answers. Raises `Missing`."""
        if not (self._folder / "data" / "PG_VERSION").is_file():
            self._make()
        self.program.start()
        self.program.wait()
        self._run("createdb", "-O", OWNER, DATABASE)  # there already after the first start

    def stop(self) -> None:
        """Stop it; open connections are cut."""
        self.program.stop()

    def _make(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        mine = account(ACCOUNT)
        if mine:
            shutil.chown(self._folder, mine.pw_uid, mine.pw_gid)
        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write(self._password + "\n")
            secret.flush()
            if mine:
                shutil.chown(secret.name, mine.pw_uid, mine.pw_gid)
            auth = ["--auth-host=scram-sha-256", "--auth-local=reject", f"--pwfile={secret.name}"]
            command = [
                _program("initdb"),
                "-D",
                str(self._folder / "data"),
                "-U",
                OWNER,
                "-E",
                "UTF8",
                "--no-locale",
                *auth,
            ]
            done = subprocess.run(
                command, capture_output=True, check=False, user=mine.pw_uid if mine else None
            )
        if done.returncode:
            raise Missing(
                "PostgreSQL's folder cannot be made: "
                f"{done.stderr.decode(errors='replace').strip()[-500:]}"
            )
        with (self._folder / "data" / "postgresql.conf").open("a") as config:
            config.write(CONFIG)

    def _answers(self) -> bool:
        return self._run("pg_isready") == 0

    def _run(self, name: str, *words: str) -> int:
        given = {"PGPASSWORD": self._password}
        command = [_program(name), "-h", "127.0.0.1", "-p", f"{self._port}", "-U", OWNER, *words]
        return subprocess.run(command, env=given, capture_output=True, check=False).returncode


def _program(name: str) -> str:
    """Where a program of PostgreSQL's is: in the path, or where Debian puts each version.

    The newest. Raises `Missing`.
    """
    if found := shutil.which(name):
        return found
    versions = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3])
    )
    if not versions:
        raise Missing(
            "PostgreSQL is not on this machine: install the package postgresql, or name a running "
            "one"
        )
    return str(versions[-1])
