"""Agents and lookups of an older release meet events of a newer one.

They wait, or say so, and the newer release goes on from there.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.campaigns.events import EventAttended
from domain.customers.events import ChannelVisited
from domain.event_types import type_key
from projections.campaigns.benefits import CAMPAIGNS
from projections.customers.group import CUSTOMERS
from projections.offers.group import REACTIONS
from projections.redis import RedisStore
from projections.store import GroupShard
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from tests.conftest import Running, proposed, settings_in, wait_until

NEWCOMER = "customer:4711"
OTHER = next(
    name
    for number in range(100)
    if shard_of(name := f"customer:{number}", 4) != shard_of(NEWCOMER, 4)
)
"""Somebody in another of the four shards."""
OLDER = f"""
import os
from pathlib import Path

def older():
    if not (Path(__file__).parent / "older").exists():
        return
    from deploy.embedded import children
    run = children.run
    def run_older(kind, *given):
        if kind in ("agents", "web"):
            from domain.event_types import EVENT_BY_TYPE
            del EVENT_BY_TYPE["{type_key(EventAttended)}"]
        run(kind, *given)
    run_older.__module__, run_older.__qualname__ = run.__module__, run.__qualname__
    children.run = run_older

os.register_at_fork(after_in_child=older)
"""
"""Python runs this in every process.

While the file `older` is there, agents and web are of a release that did not know one type of
event.
"""


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that makes them older."""
    (folder := tmp_path / "release").mkdir()
    (folder / "sitecustomize.py").write_text(OLDER)
    (file := folder / "older").touch()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return file


@pytest.fixture
def running(older: Path, tmp_path: Path) -> Iterator[Running]:
    """A stack whose agents and web are older than its intake."""
    assert older.is_file()
    with Running(settings_in(tmp_path / "data")) as made:
        yield made


def test_old_agents_wait_at_new_events_and_new_agents_go_on(running: Running, older: Path) -> None:
    """The shard of the new event stands still in the groups that have to know it; all else goes on.

    After the upgrade all is as rebuilt.
    """
    shard = shard_of(NEWCOMER, running.settings.shards)
    _fed(running, write(proposed(ChannelVisited(channel="app"), "before", NEWCOMER)))
    running.settle()
    _fed(
        running,
        write(proposed(EventAttended(event="gala"), "new", NEWCOMER)),
        write(proposed(ChannelVisited(channel="app"), "behind", NEWCOMER)),
    )
    _fed(running, write(proposed(ChannelVisited(channel="app"), "beside", OTHER)))
    wait_until(lambda: {CUSTOMERS.name, CAMPAIGNS.name} <= {s["group"] for s in _logged(running)})
    wait_until(lambda: _behind(running, GroupShard(shard, REACTIONS.name)) == 0)

    assert {(said["group"], said["shard"], said["error"]) for said in _logged(running)} == {
        (group.name, shard, "Newer") for group in (CUSTOMERS, CAMPAIGNS)
    }
    assert _behind(running, GroupShard(shard, CUSTOMERS.name)) >= 2
    assert _profile(running, NEWCOMER)["channels"] == {"app": 1}
    wait_until(lambda: _profile(running, OTHER)["channels"] == {"app": 1})

    refused = running.client.get(f"/v1/customers/{NEWCOMER.partition(':')[2]}/history")
    assert refused.status_code == 503
    assert "does not know the type" in refused.json()["detail"]

    older.unlink()
    running.kill("agents")
    running.kill("web")
    wait_until(lambda: _served(running, f"/v1/customers/{NEWCOMER.partition(':')[2]}/history"))
    running.settle()
    assert _profile(running, NEWCOMER)["channels"] == {"app": 2}
    assert _picture(running, NEWCOMER)["benefits"]["attended"] == 1
    running.must_agree()


def _served(running: Running, path: str) -> bool:
    try:
        return running.client.get(path).status_code == 200
    except httpx.TransportError:
        return False


def _fed(running: Running, *events: bytes) -> None:
    done = running.run("feed", "-", input=b"\n".join(events))
    assert done.returncode == 0, done.stderr


def _logged(running: Running) -> list[dict[str, object]]:
    """What agents said of shards that they could not fold."""
    lines = (running.settings.data_dir / "logs" / "agents.log").read_text().splitlines()
    return [
        said
        for line in lines
        if line.startswith("{") and (said := json.loads(line))["event"] == "shard_not_folded"
    ]


def _behind(running: Running, place: GroupShard) -> int:
    """How many events of the journal are not folded."""
    from deploy.wiring import journal_of

    async def upto() -> int:
        store = RedisStore(running.settings.redis_url)
        try:
            return await store.upto(place)
        finally:
            await store.close()

    return journal_of(running.settings)[place.shard].head() - asyncio.run(upto())


def _profile(running: Running, stream: str) -> dict[str, object]:
    return dict(_picture(running, stream).get("profile", {"channels": {}}))


def _picture(running: Running, stream: str) -> dict[str, Any]:
    found = running.client.get(f"/v1/customers/{stream.partition(':')[2]}")
    return dict(found.json()) if found.status_code == 200 else {}
