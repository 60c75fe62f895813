"""What does Faust do as its manual shows it? One agent, one event per message, with or without a table."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import faust


class Paid(faust.Record, serializer="json"):  # type: ignore[call-arg]
    """An event."""

    account: int
    amount: int


def main(mode: str, broker: str, topic_name: str, count: int, folder: str) -> None:
    """Consume `count` events, write events a second into a file, and leave."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    app = faust.App(
        f"peer-{mode}", broker=f"kafka://{broker}", web_enabled=False, topic_partitions=1, broker_session_timeout=6.0, broker_heartbeat_interval=1.5
    )
    topic = app.topic(topic_name, value_type=Paid)
    table: Any = app.Table("sums", default=int, partitions=1) if mode == "table" else {}
    seen, first = 0, 0.0

    @app.agent(topic)
    async def agent(stream: Any) -> None:
        nonlocal seen, first
        async for paid in stream:
            first = first or time.perf_counter()
            key = str(paid.account)
            table[key] = (table[key] if mode == "table" else table.get(key, 0)) + paid.amount
            seen += 1
            if seen == count:
                Path("events_per_second").write_text(f"{count / (time.perf_counter() - first):.0f}", encoding="ascii")
                os._exit(0)

    faust.Worker(app, loglevel="ERROR").execute_from_commandline()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
