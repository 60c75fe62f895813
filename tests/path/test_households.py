"""A rule that counts households, live.

From events at the front door to a tier that says why, and the same again from the journal.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.settings import POLICIES
from domain.accounts.events import AccountShared
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, settings_in
from tests.sizes import sized

PREMIER = (POLICIES / "tiers" / "hsbc-premier.yaml").read_text(encoding="utf-8")
BANK = sized(Bank(customers=110, months=5, seed=3), Bank(customers=200, months=5, seed=3))
REACHED = 20_000_00
"""Minor units: the bound of the live rule.

Half a million yuan would divide only the richest of so small a bank.
"""


def rule(folder: Path, version: int, bound: int, take: str = "sum") -> Path:
    """HSBC's rule with another bound, or another way to count a family."""
    path = folder / f"premier-{version}.yaml"
    said = PREMIER.replace("version: 1", f"version: {version}").replace(
        "at_least: 50000000", f"at_least: {bound}"
    )
    path.write_text(said.replace("take: sum", f"take: {take}"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack under HSBC's rule, with a bound for people of small means, fed a bank
    with couples.
    """
    folder = tmp_path_factory.mktemp("premier")
    with Running(settings_in(folder, policy=rule(folder, version=1, bound=REACHED))) as made:
        path = made.settings.data_dir / "bank.jsonl"
        path.write_bytes(b"\n".join(map(write, synth(BANK))))
        made.report("feed", str(path))
        made.settle()
        yield made
        assert made.stop() == 0


@pytest.fixture(scope="module")
def client(fed: Running) -> httpx.Client:
    """A client of the stack."""
    return fed.calls()


@pytest.fixture(scope="module")
def couples(client: httpx.Client) -> dict[str, dict[str, Any]]:
    """Every household, as it is answered."""
    found = {
        str(number): client.get(f"/v1/households/{number}")
        for number in range(BANK.customers // 10)
    }
    return {number: answer.json() for number, answer in found.items() if answer.status_code == 200}


def test_live_rebuilt_and_verified_are_one(fed: Running) -> None:
    """Every projection, households and the calendar of months among them.

    And nothing that an auditor would find.
    """
    live = fed.must_agree()

    assert {"whole@2", "calendar@1"} <= live.keys()
    assert fed.report("replay", "verify")["found"] == 0
    assert fed.counts().balanced()


def test_every_month_of_a_household_is_summed_and_its_members_are_named(
    couples: dict[str, dict[str, Any]],
) -> None:
    """Who parted counts until then: from the fourth month on the household has one member less."""
    assert len(couples) >= 5
    assert {max(whole["months"]) for whole in couples.values()} == {"2026-05"}
    members = {
        number: [month["members"] for _, month in sorted(whole["months"].items())]
        for number, whole in couples.items()
    }
    parted = {
        number
        for number, whole in couples.items()
        if any(held[-1]["until"] for held in whole["members"].values())
    }

    assert parted
    for number, each in members.items():
        at_first = each[0]
        assert at_first in {2, 3}
        assert each == [at_first] * 3 + [at_first - (number in parted)] * 2


def test_who_is_premier_by_the_family_is_told_so(
    client: httpx.Client, couples: dict[str, dict[str, Any]]
) -> None:
    """One's own balance is below the bound, the family's above.

    The answer names both, and nobody of the family is missing.
    """
    shown = {
        stream: client.get(f"/v1/customers/{stream.partition(':')[2]}/tier").json()
        for whole in couples.values()
        for stream in whole["members"]
    }
    by_family = {
        stream: each
        for stream, each in shown.items()
        if each["grounds"]["seen"]["relationship"]
        < REACHED
        <= each["grounds"]["together"].get("relationship", 0)
    }

    assert by_family
    for stream, each in by_family.items():
        assert each["grounds"]["whole"].startswith("household:")
        assert (each["tier"], each["grounds"]["reached"], each["heading"]["tier"]) == (
            "premier",
            "premier",
            "premier",
        ), stream
        assert each["outlook"]["misses_left"] == 3


def test_a_household_as_of_a_day_is_the_sum_of_its_members_as_of_that_day(
    fed: Running, couples: dict[str, dict[str, Any]]
) -> None:
    """On a day within a month, before and after somebody left."""
    parted = {
        number: whole
        for number, whole in couples.items()
        if any(held[-1]["until"] for held in whole["members"].values())
    }
    number, whole = next(iter(parted.items()))
    at_first = min(month["members"] for month in whole["months"].values()) + 1
    for day, count in (("2026-03-17", at_first), ("2026-04-17", at_first - 1)):
        there = json.loads(
            fed.run("replay", "as-of", f"household:{number}", "--occurred", day).stdout
        )
        assert len(there["shares"]) == count <= len(whole["members"])
        closing = sum(
            asset["closing"] for month in there["months"].values() for asset in month["assets"]
        )
        alone = [
            json.loads(
                fed.run("replay", "as-of", stream.partition(":")[2], "--occurred", day).stdout
            )["ledger"]
            for stream in there["shares"]
        ]
        assert closing == sum(asset["closing"] for asset in there["total"]["assets"])
        assert closing == sum(_worth(ledger) for ledger in alone)


def test_the_part_of_a_joint_account_is_told_beside_its_balance(fed: Running) -> None:
    """Of no other account."""
    joint = {
        (each.stream, each.data.account)
        for each in synth(BANK)
        if isinstance(each.data, AccountShared)
    }
    stream, account = min(joint)
    balances = fed.client.get(f"/v1/customers/{stream.partition(':')[2]}").json()["balances"]

    assert {number for number, each in balances.items() if "share_permille" in each} == {account}
    assert balances[account]["share_permille"] == 500


def _worth(ledger: dict[str, Any]) -> int:
    """What accounts come to, half of a joint one."""
    assert {account["currency"] for account in ledger["accounts"].values()} == {"CNY"}
    return sum(
        account["balance"]
        if number not in ledger["shares"]
        else _half(account["balance"], ledger["shares"][number])
        for number, account in ledger["accounts"].items()
    )


def _half(balance: int, shares: dict[str, list[int]]) -> int:
    [(start, end)] = shares.values()
    return balance * end // 1000 - balance * start // 1000


def test_what_if_counts_families_as_the_live_rule_does(fed: Running, tmp_path: Path) -> None:
    """The live rule tried on history moves nobody.

    One that takes the best member alone moves who was premier by the sum.
    """
    same, best = fed.report(
        "replay",
        "what-if",
        str(rule(tmp_path, 2, REACHED)),
        str(rule(tmp_path, 3, REACHED, "max")),
        "--from-journal",
    )["comparisons"]

    assert (same["up"], same["down"], same["customers"]) == (0, 0, BANK.customers)
    assert best["up"] == 0 < best["down"]


def test_a_rule_of_households_is_rebuilt_beside_and_equals_what_if(
    fed: Running, tmp_path: Path
) -> None:
    """By the agents: what it comes to is what was said of it before."""
    lower = rule(tmp_path, 4, REACHED // 2)
    made = fed.report("replay", "rebuild", "tier", "--policy", str(lower), "--by", "li")
    compared = fed.report("replay", "compare", "live", made["version"])
    [tried] = fed.report("replay", "what-if", str(lower), "--refresh")["comparisons"]

    assert compared["up"] > 0
    assert {name: compared[name] for name in ("counts", "assets", "segments", "movers")} == {
        name: tried[name] for name in ("counts", "assets", "segments", "movers")
    }
