"""How long does a person wait to see what another rule would do to a million customers?

Process start included.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import yaml

from deploy.bench.parts import REPEATS, Figure
from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.calendar import days_in
from domain.tiering.assessment import Standing, assess
from domain.tiering.policy import TierPolicy
from replay.what_if.columns import Columns, month_named, month_number
from replay.what_if.compiled import standings
from replay.what_if.snapshot import keep_columns, kept_columns

CUSTOMERS = 1_000_000
MONTHS = 24
CANDIDATES = 10
SAMPLE = 2_000
LIVE = POLICIES / "tiers" / "bohai-retail.yaml"


def what_if() -> list[Figure]:
    """One candidate, and ten at once, asked by the command line.

    Seconds, and the peak memory of the process in MB.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keep_columns(_bank(CUSTOMERS, MONTHS), folder / "data" / "facts", datetime.now(UTC))
        files = [_candidate(folder, number) for number in range(CANDIDATES)]
        _ask(folder, files[:1])  # the first run on a machine compiles the fold, and keeps it
        one = statistics.median(_ask(folder, files[:1]) for _ in range(REPEATS))
        ten = statistics.median(_ask(folder, files) for _ in range(REPEATS))
        megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        columns = kept_columns(folder / "data" / "facts")
        assert columns is not None
        policies = [read_policy(file) for file in files]
        read = _seconds(lambda: _read(columns))
        folded = _seconds(lambda: standings(policies[:1], columns))
        peers = {
            f"the rule in a Python loop, scaled from {SAMPLE:,} customers": _seconds(
                lambda: _by_hand(policies[0], columns)
            )
            * CUSTOMERS
            / SAMPLE
        }
    return [
        Figure(
            "what_if_seconds",
            one,
            "s",
            {"reading the columns alone": read, "the compiled fold alone": folded},
            peers,
        ),
        Figure("what_if_ten_seconds", ten, "s", {"one candidate": one}),
        Figure("what_if_peak", megabytes, "MB"),
    ]


def _bank(customers: int, months: int) -> Columns:
    """A bank as columns.

    Deposits that wander around a wealth of the usual shape, and wealth products of one in ten.
    """
    chance = np.random.default_rng(1)
    rows = customers * months
    wealth = (chance.pareto(1.2, customers) * 2_000_000).clip(max=10**13).astype(np.int64)
    average = (np.repeat(wealth, months) * (80 + chance.integers(0, 41, rows)) // 100).astype(
        np.int64
    )
    rich = np.arange(customers) % 10 == 0
    per_row = np.repeat(np.where(rich, 2, 1), months)
    index = np.concatenate([[0], np.cumsum(per_row)])
    second = index[1:][per_row == 2] - 1
    amounts = np.zeros(index[-1], dtype=np.int64)
    amounts[index[:-1]] = average
    amounts[second] = average[per_row == 2] // 2
    assets = np.zeros(index[-1], dtype=np.int16)
    assets[second] = 1
    number = np.tile(np.arange(months, dtype=np.int32), customers)
    days = np.array(
        [days_in(month_named(month_number("2024-01") + each)) for each in range(months)],
        dtype=np.int64,
    )
    each = np.arange(customers)
    return Columns(
        names=np.char.add("customer:", each.astype("U8")).astype("S"), first=each_first(customers, months), month=number + month_number("2024-01"),  # noqa: E501
        transactions=chance.integers(0, 60, rows).astype(np.int32), active_days=chance.integers(0, 25, rows).astype(np.int8),  # noqa: E501
        products=np.repeat(1 + each % 4, months).astype(np.int32), tenure=(number + 1).astype(np.int16), streak=(number + 1).astype(np.int16),  # noqa: E501
        open_cases=np.zeros(rows, dtype=np.int16), kind=np.repeat(each % 33 == 0, months).astype(np.int32), rating=np.full(rows, -1, dtype=np.int32),  # noqa: E501
        industry=np.full(rows, -1, dtype=np.int32), region=np.repeat(each % 6, months).astype(np.int32),  # noqa: E501
        born=np.repeat(710_000 + each % 20_000, months).astype(np.int32), holdings=np.zeros(rows, dtype=np.int32), wholes=np.zeros(rows, dtype=np.int32),  # noqa: E501
        asset_first=index.astype(np.int64),
        asset=assets, balance_days=amounts * np.repeat(days[number], per_row), average=amounts, closing=amounts, ninety_days=amounts * 90,  # noqa: E501
        value_first=np.zeros(rows + 1, dtype=np.int64), value_currency=np.zeros(0, dtype=np.int16), came=np.zeros(0, dtype=np.int64),  # noqa: E501
        went=np.zeros(0, dtype=np.int64),
        words={"kind": ["person", "company"], "rating": [], "industry": [], "region": [f"region-{number}" for number in range(6)], "holdings": [""],  # noqa: E501
               "wholes": [""], "asset": ["deposit/CNY", "wealth/CNY"], "currency": ["CNY"]},
    )  # fmt: skip


def each_first(customers: int, months: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Where each customer's rows begin."""
    return np.arange(customers + 1, dtype=np.int64) * months


def _candidate(folder: Path, number: int) -> Path:
    said = yaml.safe_load(LIVE.read_text(encoding="utf-8"))
    said["version"] = 2 + number
    said["tiers"][2]["reach"]["at_least"] = 15_000_000 + number * 1_000_000
    path = folder / f"candidate-{number}.yaml"
    path.write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    return path


def _ask(folder: Path, files: list[Path]) -> float:
    command = [
        sys.executable,
        "-m",
        "deploy.cli",
        "replay",
        "what-if",
        *map(str, files),
        "--json",
        "--data-dir",
        str(folder / "data"),
    ]
    return _seconds(
        lambda: subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "TIERFOLD_POLICY": str(LIVE)},
        )
    )


def _read(columns: Columns) -> int:
    """Look at every number that the fold looks at, once."""
    return sum(
        int(each.sum())
        for each in (
            columns.first,
            columns.month,
            columns.tenure,
            columns.kind,
            columns.asset_first,
            columns.asset,
            columns.average,
        )
    )


def _by_hand(policy: TierPolicy, columns: Columns) -> None:
    for customer in range(SAMPLE):
        standing = Standing()
        for row in range(int(columns.first[customer]), int(columns.first[customer + 1])):
            standing = assess(policy, standing, columns.facts(row))


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun
