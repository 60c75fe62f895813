"""Every change of tier in a whole bank, beside somebody who knows the printed rule alone.

The money of each customer is drawn, and each tier reckoned from it by months, without a journal.
"""

import asyncio
import random
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from deploy.operations.summary import wait_until_settled
from deploy.wiring import journal_of
from domain.accounts.events import TransactionPosted
from domain.bank.events import DayClosed
from domain.event import BANK
from domain.tiering.events import TierChanged
from streams.ingest.cloudevents import write
from tests.conftest import TIERFOLD, Running, environment_of, proposed, settings_in
from tests.path.test_rollout import candidate
from tests.sizes import sized

CUSTOMERS, MONTHS = sized((150, 8), (100_000, 24))
BEGINS = date(2024, 1, 1)
FIRSTS = [date(2024 + number // 12, number % 12 + 1, 1) for number in range(MONTHS + 1)]
"""The first day of each month, and of the one behind them."""
PATIENCE = sized(120.0, 7_200.0)
HELD = (0, 300_000, 4_000_000, 9_000_000, 30_000_000, 90_000_000, 300_000_000)
"""Minor units about which a customer's money lies: on both sides of every bound."""
NAMES = ("mass", "affluent", "gold", "platinum", "diamond")


class Rule(NamedTuple):
    """What is printed of a rule: from which monthly average each tier is had, and how often in a
    row it may be missed before the customer falls to what was reached.
    """

    bounds: tuple[int, ...]
    misses: int

    def level(self, total: int, days: int) -> int:
        """The place of the tier that a sum of the days' balances reaches: by their average, rounded
        half up to a minor unit.
        """
        average = (2 * total + days) // (2 * days)
        return sum(average >= bound for bound in self.bounds)


PRINTED = Rule((5_000_000, 20_000_000, 50_000_000, 200_000_000), 3)
EASIER = Rule((500_000, 6_000_000, 50_000_000, 200_000_000), 1)
"""What `candidate` makes of it."""


class Moved(NamedTuple):
    """Money that comes or goes: on which day since `BEGINS`, of whom, how much."""

    day: int
    who: int
    amount: int


def drawn(who: int) -> Iterator[Moved]:
    """The movements of a customer: one in two months, to somewhere about another bound."""
    chance, held = random.Random(f"customer {who}"), 0
    comes = chance.randrange(MONTHS) if who % 2 else 0
    for month in range(comes, MONTHS):
        if month == comes or chance.random() < 0.5:
            day = chance.randrange(days(month))
            wanted = round(chance.choice(HELD) * chance.uniform(0.5, 1.5)) + 1
            yield Moved((FIRSTS[month] - BEGINS).days + day, who, wanted - held)
            held = wanted


def days(month: int) -> int:
    """How many days a month has."""
    return (FIRSTS[month + 1] - FIRSTS[month]).days


def averaged(moves: Sequence[Moved]) -> Iterator[tuple[int, int]]:
    """By month from the first that has something: which, and the sum of its days' balances."""
    held = 0
    for month in range(MONTHS):
        begins, ends = ((FIRSTS[month + more] - BEGINS).days for more in (0, 1))
        here = [each for each in moves if begins <= each.day < ends]
        total = held * (ends - begins) + sum(each.amount * (ends - each.day) for each in here)
        held += sum(each.amount for each in here)
        if here or held:
            yield month, total


def tiers(rule: Rule, months: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The place of the tier that is told at the end of each month."""
    found, held, missed = dict[int, int](), 0, 0
    for month, total in months:
        reached = rule.level(total, days(month))
        missed = missed + 1 if reached < held else 0
        if reached > held or missed == rule.misses:
            held, missed = reached, 0
        found[month] = held
    return found


class Change(NamedTuple):
    """From which tier to which; from which day where a month's end did it, None for a switch."""

    before: str
    after: str
    effective: date | None


def noted(who: int, switches: Mapping[int, Rule]) -> list[Change]:
    """The changes that a customer is told of: at a month's end, and where another rule begins
    behind a month.
    """
    months = [*averaged([*drawn(who)])]
    by_rule = {rule: tiers(rule, months) for rule in (PRINTED, EASIER)}
    told: list[tuple[int, date | None]] = [(0, None)]
    begun = {month: each for month, each in switches.items() if months and month < months[0][0]}
    rule = begun[max(begun)] if begun else PRINTED
    for month, _ in months:
        told.append((by_rule[rule][month], FIRSTS[month + 1]))
        if month in switches:
            rule = switches[month]
            told.append((by_rule[rule][month], None))
    return [
        Change(NAMES[old], NAMES[new], effective)
        for (old, _), (new, effective) in pairwise(told)
        if old != new
    ]


def written(folder: Path, cuts: Sequence[int]) -> list[Path]:
    """The bank day by day, in files that end with these months."""
    by_day: dict[int, list[Moved]] = {}
    for who in range(CUSTOMERS):
        for each in drawn(who):
            by_day.setdefault(each.day, []).append(each)
    files = []
    for begin, end in pairwise([0, *cuts]):
        files.append(folder / f"until-{end}.jsonl")
        with files[-1].open("wb") as file:
            for day in range((FIRSTS[begin] - BEGINS).days, (FIRSTS[end] - BEGINS).days):
                for each in by_day.get(day, ()):
                    file.write(_line(each) + b"\n")
                on = BEGINS + timedelta(days=day)
                file.write(write(proposed(DayClosed(date=on), f"day-{on}", BANK, on)) + b"\n")
    return files


def _line(moved: Moved) -> bytes:
    name, on = f"{moved.day}-{moved.who}", BEGINS + timedelta(days=moved.day)
    data = TransactionPosted(
        transaction=name,
        account=f"account-{moved.who}",
        amount=moved.amount,
        currency="CNY",
        kind="transfer",
    )
    return write(proposed(data, name, f"customer:{moved.who}", on))


@contextmanager
def feeding(running: Running, file: Path) -> Iterator[None]:
    """A file is fed while something else is done, from when its first event has an outcome, and all
    of it is folded at the end.
    """
    before = running.counts().arrived
    with subprocess.Popen(
        [*TIERFOLD, "feed", str(file)],
        env=environment_of(running.settings),
        stdout=subprocess.DEVNULL,
    ) as process:
        running.arrive(before + 1)
        yield
    assert process.returncode == 0
    settle(running)


def settle(running: Running) -> None:
    """Wait until all is folded, however long a bank of this size takes."""
    asyncio.run(wait_until_settled(running.settings, PATIENCE))


def told(running: Running) -> dict[int, list[Change]]:
    """By customer, the changes that are in the journal."""
    found: dict[int, list[Change]] = {who: [] for who in range(CUSTOMERS)}
    for shard in journal_of(running.settings):
        after, head = 0, shard.head()
        while rows := shard.read(after, 50_000, head, ["tier-changed.v1"]):
            for event in (row.event() for row in rows):
                said = event.data
                assert isinstance(said, TierChanged)
                assert said.ground in ("assessment", "switch")
                effective = said.effective if said.ground == "assessment" else None
                change = Change(said.before, said.after, effective)
                found[int(event.stream.split(":")[1])].append(change)
            after = rows[-1].position
    return found


def test_every_change_of_a_whole_bank_is_told_once(tmp_path: Path) -> None:
    """Under kills of agents and intake, what comes twice, a rebuild, a switch and a roll-back."""
    quarter = MONTHS // 4
    cuts = [quarter, 2 * quarter, 3 * quarter, MONTHS]
    files = written(tmp_path, cuts)
    with Running(settings_in(tmp_path / "stack")) as running:
        with feeding(running, files[0]):
            running.kill("agents")
        with feeding(running, files[1]):
            running.kill("intake")
            rule = ("--policy", str(candidate(tmp_path)), "--by", "li")
            made = running.report("replay", "rebuild", "tier", *rule, timeout=PATIENCE)
            running.kill("agents")
        version = made["version"]
        found = running.report("replay", "compare", "live", version, timeout=PATIENCE)
        approved = ("--by", "zhang", "--report", found["digest"])
        running.report("replay", "approve", version, *approved)
        running.report("replay", "promote", version, "--by", "zhang", "--no-wait")
        running.kill("agents")
        running.report("replay", "announce", "--by", "zhang", timeout=PATIENCE)
        settle(running)
        with feeding(running, files[2]):
            running.kill("agents")
        back = ("roll-back", "--by", "zhang", "--reason", "a test", "--no-wait")
        running.report("replay", *back)
        running.kill("agents")
        running.report("replay", "announce", "--by", "zhang", timeout=PATIENCE)
        settle(running)
        again = running.report("feed", str(files[2]), timeout=PATIENCE)
        with feeding(running, files[3]):
            running.kill("intake")
        heard = told(running)

    switches = {cuts[1] - 1: EASIER, cuts[2] - 1: PRINTED}
    wrong = {
        who: (heard[who], wanted)
        for who in range(CUSTOMERS)
        if heard[who] != (wanted := noted(who, switches))
    }
    changes = Counter((each.before, each.after) for some in heard.values() for each in some)
    print(f"{sum(changes.values())} changes of {CUSTOMERS} customers in {MONTHS} months")
    assert wrong == {}
    assert again["recorded"] == 0 < again["already"]
    assert min(changes[pair] for pair in pairwise(NAMES)) > 0
    assert min(changes[pair[::-1]] for pair in pairwise(NAMES)) > 0
