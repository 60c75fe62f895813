"""A real bank through the whole path.

Every balance and every month, against independent counts over the raw files.
"""

import asyncio
import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from deploy.operations.rollout import refill_of, run
from deploy.policy_files import read_policy
from deploy.wiring import journal_of
from domain.accounts.events import TransactionPosted
from domain.accounts.ledger import Ledger
from projections.accounts.ledger import LEDGER
from projections.accounts.months import MONTHS, Months
from projections.cases.complaints import COMPLAINTS
from projections.customers.group import CUSTOMERS
from projections.projection import Projection, digest
from projections.redis import RedisStore
from projections.store import GroupShard
from projections.views.history import customers_under
from replay.history.as_of import as_of
from replay.rollout.rebuilding import rebuild
from tests.conftest import Running, settings_in
from tests.sizes import sized

TRANSACTIONS = sized(4_428, 28_205)
SENT = sized(6_560, 33_839)
ACCOUNTS = sized(187, 1_139)


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory, berka_folder: Path) -> Iterator[Running]:
    """A stack that was fed the bank once."""
    with Running(settings_in(tmp_path_factory.mktemp("berka"))) as made:
        assert made.report("feed", "--berka", str(berka_folder))["sent"] == SENT
        made.settle()
        yield made


async def states(running: Running, part: Projection[Any]) -> dict[str, Any]:
    """Every live state of a projection, by stream."""
    store, found = RedisStore(running.settings.redis_url), {}
    for shard in range(running.settings.shards):
        place = GroupShard(shard, CUSTOMERS.name)
        async for streams in store.streams(place):
            kept = await store.load(place, [(part.key, stream) for stream in streams])
            found.update(
                {
                    stream: part.decode(one.state)
                    for stream, one in zip(streams, kept, strict=True)
                    if one
                }
            )
    await store.close()
    return found


def raw(folder: Path, name: str) -> list[dict[str, str]]:
    """A file of the bank, as it is."""
    with (folder / f"{name}.asc").open(encoding="latin-1", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_every_transaction_is_recorded(fed: Running) -> None:
    """None lost, none twice, all outcomes in balance."""
    events = [row for shard in journal_of(fed.settings) for row in shard.read(0, 100_000)]

    assert sum(row.event_type == "transaction-posted.v1" for row in events) == TRANSACTIONS
    assert fed.counts().recorded == fed.counts().arrived == len(events)
    assert {type(row.event().data) for row in events} >= {TransactionPosted}


def test_every_accounts_balance_meets_the_banks_own(fed: Running, berka_folder: Path) -> None:
    """The oracle: the sum of an account's amounts is one of its last day's balances, to 0.1 crowns
    per transaction.
    """
    ledgers: dict[str, Ledger] = asyncio.run(states(fed, LEDGER))
    folded = {
        number: account.balance
        for ledger in ledgers.values()
        for number, account in ledger.accounts.items()
    }
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for line in raw(berka_folder, "trans_1993"):
        rows[line["account_id"]].append(line)

    assert len(rows) == ACCOUNTS
    for account, lines in rows.items():
        last = max(line["date"] for line in lines)
        known = [float(line["balance"]) * 100 for line in lines if line["date"] == last]
        assert min(abs(folded[account] - balance) for balance in known) <= 10 * len(lines), account


def test_monthly_facts_equal_an_independent_computation(fed: Running, berka_folder: Path) -> None:
    """DuckDB over the raw files, day by day, for every customer and month."""
    months: dict[str, Months] = asyncio.run(states(fed, MONTHS))
    folded = {
        (stream.removeprefix("customer:"), month): (
            sum(asset.balance_days for asset in row.assets),
            sum(asset.closing for asset in row.assets),
            row.transactions,
            sum(row.value_in.values()),
            sum(row.value_out.values()),
            row.active_days,
        )
        for stream, found in months.items()
        for month, row in found.rows.items()
    }
    counted = {(client, month): tuple(facts) for client, month, *facts in _by_sql(berka_folder)}

    assert len(counted) == len(folded) > 7 * ACCOUNTS
    assert folded == counted


def _by_sql(folder: Path) -> list[tuple[Any, ...]]:
    """Facts of every client and month since the client came.

    End-of-day balances summed over all days of the month.
    """
    return duckdb.sql(
        f"""
        WITH trans AS (
            SELECT account_id, strptime('19' || date, '%Y%m%d')::DATE AS day,
                   CAST(round(CAST(amount AS DECIMAL(18,2)) * 100) AS BIGINT) * CASE type WHEN 'PRIJEM' THEN 1 ELSE -1 END AS amount
            FROM read_csv('{folder}/trans_1993.asc', delim=';', header=true, all_varchar=true, encoding='latin-1')
        ), disp AS (
            SELECT d.client_id, d.account_id, d.type, strptime('19' || a.date, '%Y%m%d')::DATE AS since
            FROM read_csv('{folder}/disp.asc', delim=';', header=true, all_varchar=true) d
            JOIN read_csv('{folder}/account.asc', delim=';', header=true, all_varchar=true) a USING (account_id)
            WHERE a.date < '940101'
        ), days AS (
            SELECT unnest(generate_series(DATE '1993-01-01', DATE '1993-12-31', INTERVAL 1 DAY))::DATE AS day
        ), daily AS (
            SELECT p.client_id, x.day, coalesce(sum(t.amount), 0) AS moved, count(t.amount) AS n,
                   coalesce(sum(t.amount) FILTER (t.amount >= 0), 0) AS came, coalesce(-sum(t.amount) FILTER (t.amount < 0), 0) AS went
            FROM disp p CROSS JOIN days x
            LEFT JOIN trans t ON t.account_id = p.account_id AND t.day = x.day AND p.type = 'OWNER'
            GROUP BY ALL
        ), ends AS (
            SELECT *, sum(moved) OVER (PARTITION BY client_id ORDER BY day) AS balance FROM daily
        )
        SELECT e.client_id, strftime(e.day, '%Y-%m') AS month, sum(balance)::BIGINT, arg_max(balance, e.day)::BIGINT,
               sum(n)::BIGINT, sum(came)::BIGINT, sum(went)::BIGINT, count(*) FILTER (n > 0)
        FROM ends e JOIN disp p USING (client_id)
        WHERE strftime(e.day, '%Y-%m') >= strftime(p.since, '%Y-%m')
        GROUP BY ALL
        """  # noqa: E501
    ).fetchall()


def test_fed_twice_the_second_time_changes_no_byte(fed: Running, berka_folder: Path) -> None:
    """A bank that resends everything moves nothing."""
    before, recorded = fed.report("digest"), fed.counts().recorded
    sent = fed.report("feed", "--berka", str(berka_folder))["sent"]
    fed.settle()

    assert fed.report("digest") == before == fed.report("digest", "--rebuild")
    assert (fed.counts().recorded, fed.counts().already) == (recorded, sent)
    assert fed.counts().balanced()


def test_a_ledger_is_read_over_http(fed: Running) -> None:
    """What was folded is what a channel sees."""
    shown = fed.client.get("/v1/customers/692/ledger").json()
    ledger: Ledger = asyncio.run(states(fed, LEDGER))["customer:692"]

    assert {
        number: account["balance"] for number, account in shown["ledger"]["accounts"].items()
    } == {number: account.balance for number, account in ledger.accounts.items()}
    assert date.fromisoformat(f"{max(shown['months'])}-01") == date(1993, 12, 1)


def test_as_of_now_and_both_engines_come_to_the_live_bytes(fed: Running) -> None:
    """Profile, ledger, months and tier of the whole bank.

    Each customer's history alone, the agents, and processes of one's own.
    """
    live = fed.report("digest")
    group = customers_under([read_policy(fed.settings.policy)])
    journal = journal_of(fed.settings)
    streams = sorted({stream for shard in journal for stream in shard.streams("customer")})
    states = {stream: as_of(journal, group, stream) or group.initial for stream in streams}
    kept = {
        part.key: {
            stream: part.encode(each[place])
            for stream, each in states.items()
            if each[place] is not part.initial
        }
        for place, part in enumerate(group.parts)
    }
    made = [
        run(
            fed.settings,
            lambda deps, projection=projection, here=here: rebuild(
                deps,
                projection,
                None,
                "ops",
                partial(refill_of, fed.settings, deps) if here else None,
            ),
        )["digests"]  # type: ignore[misc]
        for projection in ("ledger", "tier")
        for here in (False, True)
    ]

    assert len(streams) > ACCOUNTS
    assert {key: digest(each.items()) for key, each in kept.items()} == {
        key: live[key] for key in kept
    }
    assert all(each == {key: live[key] for key in each} for each in made)
    assert set(kept) - {COMPLAINTS.key} == {key for each in made for key in each}
