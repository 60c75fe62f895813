"""redis-server from the machine's own package, on loopback, with a log of its writes."""

import shutil
from pathlib import Path

from deploy.components.program import Missing, Program


class Redis:
    """A server in a folder."""

    def __init__(self, folder: Path, port: int) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise Missing(
                "redis-server is not on this machine: install the package redis-server, or name a "
                "running one"
            )
        folder.mkdir(parents=True, exist_ok=True)
        kept = ["--appendonly", "yes", "--save", "", "--dir", str(folder.resolve())]
        command = [program, "--bind", "127.0.0.1", "--port", f"{port}", *kept]
        self.program = Program("redis", command, f"127.0.0.1:{port}", folder / "redis.log")
        self.url = f"redis://127.0.0.1:{port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers. Raises `Missing`."""
        self.program.start()
        self.program.wait()

    def stop(self) -> None:
        """Stop it."""
        self.program.stop()
