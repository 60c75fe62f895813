"""Another rule, from a file to what every reader sees, and back again.

Beside the live one, while the bank goes on.
"""

import asyncio
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import IO, Any

import pytest

from deploy.operations.digest import live_digests
from deploy.operations.rollout import refill_of, run
from deploy.policy_files import read_policy
from deploy.settings import POLICIES, Settings
from deploy.wiring import journal_of
from domain.customers.events import IdentitiesMerged
from domain.tiering.events import TierChanged
from projections.rollout.versions import name_of
from replay.rollout import commands, comparing, rebuilding
from replay.rollout.bank import RolloutDependencies
from replay.rollout.steps import NotAllowed
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import TIERFOLD, Running, environment_of, settings_in, wait_until
from tests.sizes import sized

LIVE = POLICIES / "tiers" / "bohai-retail.yaml"
OTHER = POLICIES / "tiers" / "cmb-sunflower.yaml"
BANK = sized(Bank(customers=70, months=4, seed=2), Bank(customers=300, months=4, seed=2))
PROMOTIONS = sized(5, 50)
PACE = sized(200, 1_000)
ROLLED_BACK_WITHIN = sized(3.0, 1.0)
"""Seconds; of `make test` there is another test on the same cores."""
PAUSE = sized(0.02, 0.0)
"""Seconds between two questions of a reader: each is recorded, and so is an event to be folded."""


@pytest.fixture(scope="module")
def bank() -> list[bytes]:
    """A synthetic bank, in which each number is one person."""
    return [write(each) for each in synth(BANK) if not isinstance(each.data, IdentitiesMerged)]


@pytest.fixture
def running(tmp_path: Path, bank: list[bytes]) -> Iterator[Running]:
    """A stack that has the first half of the bank."""
    with Running(settings_in(tmp_path)) as made:
        feed(made, bank[: len(bank) // 2])
        made.settle()
        yield made


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack that the tests of engines share, each with its own part of the bank."""
    with Running(settings_in(tmp_path_factory.mktemp("lasting"))) as made:
        yield made


def feed(running: Running, events: list[bytes]) -> None:
    """Feed some of the bank."""
    path = running.settings.data_dir / "part.jsonl"
    path.write_bytes(b"\n".join(events))
    running.report("feed", str(path))


@contextmanager
def meanwhile(running: Running, events: list[bytes]) -> Iterator[None]:
    """The bank goes on at a steady pace while something else is done.

    All of it is in at the end.
    """
    with subprocess.Popen(
        [*TIERFOLD, "feed", "-"],
        env=environment_of(running.settings),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as feeding:
        assert feeding.stdin is not None
        pacing = threading.Thread(target=_paced, args=(feeding.stdin, events))
        pacing.start()
        yield
        pacing.join()
        feeding.stdin.close()
    assert feeding.returncode == 0
    running.settle()


def _paced(into: IO[bytes], events: list[bytes]) -> None:
    for start in range(0, len(events), PACE // 10):
        into.write(b"".join(event + b"\n" for event in events[start : start + PACE // 10]))
        into.flush()
        time.sleep(0.1)


def candidate(folder: Path) -> Path:
    """The live rule with affluent and gold in reach of more people, and less patience."""
    said = (
        LIVE.read_text(encoding="utf-8")
        .replace("version: 1", "version: 2")
        .replace("at_least: 20000000}", "at_least: 6000000}")
        .replace("at_least: 5000000}", "at_least: 500000}")
    )
    path = folder / "candidate.yaml"
    path.write_text(said.replace("misses_allowed: 3", "misses_allowed: 1"), encoding="utf-8")
    return path


def agree(running: Running, version: str) -> None:
    """See what a version changes, and approve it."""
    report = running.report("replay", "compare", "live", version)["digest"]
    running.report("replay", "approve", version, "--by", "zhang", "--report", report)


def told(running: Running) -> Counter[tuple[str, str, str]]:
    """Everybody who was told of a tier: customer, before, after."""
    rows = [
        row
        for shard in journal_of(running.settings)
        for row in shard.read(0, 1_000_000)
        if row.event_type == "tier-changed.v1"
    ]
    events = [row.event() for row in rows]
    return Counter(
        (event.stream, event.data.before, event.data.after)
        for event in events
        if isinstance(event.data, TierChanged)
    )


def tiers_in(said: dict[str, Any]) -> set[str]:
    """Every tier that an answer speaks of."""
    grounds = said["grounds"] or {"reached": None}
    return {
        said["tier"],
        said["assessed"],
        grounds["reached"],
        said["heading"]["tier"],
        said["outlook"]["below"],
        said["outlook"]["above"],
    } - {None}


def test_a_rule_is_rebuilt_compared_approved_promoted_and_rolled_back(
    running: Running, bank: list[bytes], tmp_path: Path
) -> None:
    """What-if, the carried version and a rebuild agree.

    Those who move are told once, and told again when it is taken back.
    """
    path = candidate(tmp_path)
    with meanwhile(running, bank[len(bank) // 2 :]):
        made = running.report("replay", "rebuild", "tier", "--policy", str(path), "--by", "li")
    version = made["version"]
    here = running.report(
        "replay", "rebuild", "tier", "--policy", str(path), "--by", "li", "--engine", "local"
    )
    compared = running.report(
        "replay", "compare", "live", version, "--parquet", str(tmp_path / "movers.parquet")
    )
    [tried] = running.report("replay", "what-if", str(path), "--from-journal")["comparisons"]
    before, told_before = running.report("digest"), told(running)
    agree(running, version)
    promoted = running.report("replay", "promote", version, "--by", "zhang")
    under_new, told_of_new = running.report("digest"), told(running) - told_before
    back = running.report("replay", "roll-back", "--by", "zhang", "--reason", "a test")
    told_in_all, after = told(running) - told_before, running.report("digest")

    assert compared["up"] + compared["down"] > 0
    assert {name: compared[name] for name in ("counts", "assets", "segments", "movers")} == {
        name: tried[name] for name in ("counts", "assets", "segments", "movers")
    }
    assert (tmp_path / "movers.parquet").read_bytes()[:4] == b"PAR1"
    assert before["tier@1"] != under_new["tier@1"] == here["digests"]["tier@1"]
    assert (
        promoted["told"]
        == told_of_new.total()
        == len(told_of_new)
        == compared["up"] + compared["down"]
    )
    assert back["told"] == promoted["told"]
    assert told_in_all == told_of_new + Counter(
        (who, new, old) for who, old, new in told_of_new.elements()
    )
    assert {
        name: each
        for name, each in after.items()
        if name not in ("profile@3", "ledger@1", "live@1", "versions@1")
    } == {
        name: each
        for name, each in before.items()
        if name not in ("profile@3", "ledger@1", "live@1", "versions@1")
    }
    assert after == running.report("digest", "--rebuild")


def test_a_roll_back_while_a_switch_is_told_leaves_nobody_with_a_tier_that_is_gone(
    running: Running, tmp_path: Path
) -> None:
    """The agents are killed meanwhile, again and again.

    Everybody whom the switch moved is told once there and once back, in this order.
    """
    version = running.report(
        "replay", "rebuild", "tier", "--policy", str(candidate(tmp_path)), "--by", "li"
    )["version"]
    agree(running, version)
    moved = running.report("replay", "compare", "live", version)
    before = told(running)
    running.report("replay", "promote", version, "--by", "zhang", "--no-wait")
    running.kill("agents")
    running.report("replay", "roll-back", "--by", "zhang", "--reason", "a test", "--no-wait")
    running.kill("agents")
    back = running.report("replay", "announce", "--by", "zhang")["told"]
    moves = told(running) - before
    there = {(who, old, new) for who, old, new in moves if tiers_of(running, who)[-1] == old}

    assert back == moved["up"] + moved["down"] == len(there) > 0
    assert moves == Counter(there) + Counter((who, new, old) for who, old, new in there)
    for who, old, new in there:
        assert tiers_of(running, who)[-2:] == [new, old]
    assert running.report("replay", "announce", "--by", "zhang")["told"] == 0


def tiers_of(running: Running, who: str) -> list[str]:
    """The tiers that were told of a customer, in this order."""
    journal = journal_of(running.settings)
    events = journal[shard_of(who, len(journal))].history(who, event_types=["tier-changed.v1"])
    return [event.data.after for event in events if isinstance(event.data, TierChanged)]


class Reader(threading.Thread):
    """A channel that asks for tiers again and again, and notes answers that are none, or of two
    rules at once.
    """

    def __init__(self, running: Running, names: dict[str, set[str]]) -> None:
        super().__init__(daemon=True)
        self._running = running
        self._names = names
        self.stop = threading.Event()
        self.faults: list[str] = []
        self.seen: Counter[str] = Counter()

    def run(self) -> None:
        """Ask until told to stop, or until asking is no more possible."""
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test tells of it
            self.faults.append(repr(error))

    def _ask(self) -> None:
        with self._running.calls() as client:
            there = [
                number
                for number in range(100_000, 100_300)
                if client.get(f"/v1/customers/{number}/tier").status_code == 200
            ]
            for number in cycle(there):
                answer = client.get(f"/v1/customers/{number}/tier")
                if self.stop.is_set():
                    return
                if (
                    answer.status_code == 200
                    and tiers_in(answer.json()) <= self._names[answer.json()["policy"]]
                ):
                    self.seen[answer.json()["policy"]] += 1
                else:
                    self.faults.append(answer.text)
                time.sleep(PAUSE)


def test_fifty_promotions_under_load_show_no_reader_two_versions_at_once(
    running: Running, bank: list[bytes]
) -> None:
    """Two rules with other tiers change places fifty times while the bank goes on.

    Every answer is of one rule, a roll-back (median) is quick.
    """
    version = running.report("replay", "rebuild", "tier", "--policy", str(OTHER), "--by", "li")[
        "version"
    ]
    agree(running, version)
    names = {
        policy.label: {tier.tier for tier in policy.tiers}
        for policy in map(read_policy, (LIVE, OTHER))
    }
    waits: list[float] = []

    readers = [Reader(running, names) for _ in range(2)]
    live = name_of(read_policy(LIVE))

    async def switch(deps: RolloutDependencies) -> None:
        for number in range(PROMOTIONS // 2):
            await _once_whole(lambda: commands.promote(deps, "tier", version, "zhang", wait=False))
            await asyncio.to_thread(_seen_by_all, readers, read_policy(OTHER).label)
            begun = time.monotonic()
            if number % 2 == 0:
                await _once_whole(
                    lambda: commands.roll_back(deps, "tier", "zhang", "a test", wait=False)
                )
                waits.append(time.monotonic() - begun)
            else:
                await _once_whole(
                    partial(commands.promote, deps, "tier", live, "zhang", wait=False)
                )
            await asyncio.to_thread(_seen_by_all, readers, read_policy(LIVE).label)

    for reader in readers:
        reader.start()
    with meanwhile(running, bank[len(bank) // 2 :]):
        try:
            run(running.settings, switch)
        finally:
            for reader in readers:
                reader.stop.set()
                reader.join()

    assert [reader.faults for reader in readers] == [[], []]
    assert [set(reader.seen) for reader in readers] == [set(names), set(names)]
    assert statistics.median(waits) < ROLLED_BACK_WITHIN
    running.must_agree()


def _seen_by_all(readers: list[Reader], label: str) -> None:
    """Wait until each reader had an answer of this rule from now on."""
    before = [reader.seen[label] for reader in readers]
    wait_until(
        lambda: all(
            reader.faults or reader.seen[label] > had
            for reader, had in zip(readers, before, strict=True)
        )
    )


async def _once_whole(switch: Callable[[], Awaitable[Any]]) -> None:
    """Switch, once the version has caught up: do as the refusal says."""
    deadline = time.monotonic() + 60
    while True:
        try:
            await switch()
        except NotAllowed:
            assert time.monotonic() < deadline, "it does not catch up"
        else:
            return


ENGINES: dict[str, tuple[str, ...]] = {
    "ledger": ("profile@3", "ledger@1", "months@3", "identity@1", "experience@1"),
    "tier": ("tier@1",),
    "offers": ("offers@4",),
    "model": ("model@4",),
    "whole": ("whole@2", "calendar@1"),
}


@pytest.mark.parametrize("projection", ENGINES)
def test_both_engines_fill_a_version_with_the_live_bytes_while_the_bank_goes_on(
    lasting: Running, bank: list[bytes], projection: str
) -> None:
    """Agents or processes of one's own.

    What they make is carried forward, and equals what grew live; promoted, it is what readers see.
    """
    part = len(bank) // len(ENGINES)
    start = [*ENGINES].index(projection) * part
    with meanwhile(lasting, bank[start : start + part]):
        made = [
            run(
                lasting.settings,
                lambda deps, here=here: rebuilding.rebuild(
                    deps,
                    projection,
                    None,
                    "ops",
                    partial(refill_of, lasting.settings, deps) if here else None,
                ),
            )
            for here in (False, True)
        ]  # type: ignore[misc]
    live = asyncio.run(live_digests(lasting.settings))
    for each in made:
        switched = run(
            lasting.settings,
            lambda deps, version=each["version"]: _tried(
                deps, lasting.settings, projection, version
            ),
        )  # type: ignore[misc]
        assert {name: switched[name] for name in ENGINES[projection]} == {
            name: live[name] for name in ENGINES[projection]
        }


async def _tried(
    deps: RolloutDependencies, settings: Settings, projection: str, version: str
) -> dict[str, str]:
    """The live digests while a version is live; then as before."""
    if projection == "tier":
        report = await comparing.compare(deps, "live", version)
        await commands.approve(deps, "tier", version, report.digest, "zhang")
    await commands.promote(deps, projection, version, "zhang", wait=False)
    found = await live_digests(settings)
    await commands.roll_back(deps, projection, "zhang", "a test", wait=False)
    await commands.withdraw(deps, projection, version, "zhang")
    return found


def test_a_rebuild_that_was_killed_goes_on_where_it_was(lasting: Running) -> None:
    """Kill -9 of the command and with it its processes; begun again it ends as if
    nothing had been.
    """
    command = [*TIERFOLD, "replay", "rebuild", "ledger", "--by", "ops", "--engine", "local"]
    for patience in (2.5, 3.5):
        killed = subprocess.Popen(
            command,
            env=environment_of(lasting.settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(patience)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    made = lasting.report("replay", "rebuild", "ledger", "--by", "ops", "--engine", "local")
    live = lasting.report("digest")

    assert made["digests"] == {name: live[name] for name in ENGINES["ledger"]}
    lasting.report("replay", "withdraw", made["version"], "--of", "ledger", "--by", "ops")
