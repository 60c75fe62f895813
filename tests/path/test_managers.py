"""Managers see whom they look after, and what happened between the bank and each."""

from collections import Counter
from collections.abc import Iterator
from secrets import token_hex
from typing import Any

import httpx
import pytest

from domain.customers.events import IdentitiesMerged
from domain.event import Interaction
from domain.managers.events import ManagerAssigned
from streams.ingest.cloudevents import BATCH, write, write_batch
from streams.sources.synth import Bank, synth
from streams.web.api.timeline import EVERYDAY, INTERNAL
from tests.conftest import TODAY, Running, proposed, settings_in, wait_until

BANK = Bank(customers=400, months=4, seed=9)
EVENTS = [*synth(BANK)]
OWN = {
    event.stream: event.data.manager.removeprefix("manager:")
    for event in EVENTS
    if isinstance(event.data, ManagerAssigned)
}
"""By customer, the manager by what the core systems said last."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A bank of four months, whose managers look after some of its customers."""
    settings = settings_in(tmp_path_factory.mktemp("managers"), rate_of_people="100000/minute")
    with Running(settings) as made:
        made.run("feed", "-", input=b"\n".join(map(write, EVENTS)))
        made.settle()
        yield made


def book(client: httpx.Client, manager: str, **asked: Any) -> list[dict[str, Any]]:
    """All pages of a manager's customers."""
    found, after = list[dict[str, Any]](), ""
    while True:
        answer = client.get(
            f"/v1/managers/{manager}/customers", params={"limit": 3, **asked, "after": after}
        )
        assert answer.status_code == 200, answer.text
        found += answer.json()["customers"]
        if (after := answer.json()["next"]) is None:
            return found


def say(running: Running, *said: tuple[str, str, Interaction]) -> None:
    """Hand in events of customers, and wait until they are folded."""
    lines = [write(proposed(data, name, stream, TODAY)) for name, stream, data in said]
    kind = {"content-type": BATCH}
    answer = running.client.post("/v1/interactions", content=write_batch(lines), headers=kind)
    assert answer.status_code == 201, answer.text
    running.settle()


def names(found: list[dict[str, Any]]) -> set[str]:
    """The streams of customers in a list."""
    return {f"customer:{each['customer']}" for each in found}


def test_each_manager_sees_their_own_customers_page_by_page(running: Running) -> None:
    """As core systems said; each once; with the tier that the customer's own page tells."""
    persons = {
        number
        for stream in OWN
        for number in running.client.get(f"/v1/customers/{stream.partition(':')[2]}")
        .json()
        .get("person", {"numbers": ()})["numbers"]
    }
    for manager in sorted({*OWN.values()}):
        with running.calls("manager", who=manager) as client:
            found = book(client, manager)
            own = {each for each, who in OWN.items() if who == manager}

            assert len(names(found)) == len(found)
            assert {
                each for each in names(found) ^ own if each.partition(":")[2] not in persons
            } == set()
            for each in found[:5]:
                tier = client.get(f"/v1/customers/{each['customer']}/tier").json()
                assert (each["tier"], each["since"]) == (tier["tier"], tier["since"])
                assert each["heading"] == tier["heading"]["tier"]
            for purpose in ("audit", "nonsense"):
                said = {"tierfold-purpose": purpose}
                refused = client.get(f"/v1/managers/{manager}/customers", headers=said)
                assert refused.status_code == 403


def test_a_part_of_the_book_is_asked_for_by_name_tier_and_way(running: Running) -> None:
    """The parts are those of the whole; a name is found by as much of it as is shown, and no more
    of it by asking.
    """
    manager, _ = Counter(OWN.values()).most_common(1)[0]
    with running.calls("supervisor") as client:
        whole = book(client, manager)
        by_tier = {
            tier: book(client, manager, tier=tier) for tier in {each["tier"] for each in whole}
        }
        by_way = {
            way: book(client, manager, moving=way) for way in ("rising", "falling", "missing")
        }
    with running.calls("auditor") as auditor:
        some = next(each for each in whole if each["name"])["customer"]
        profile = auditor.get(f"/v1/customers/{some}").json()["profile"]
        name = profile["facts"]["name"]["value"]
    with running.calls("supervisor") as client:
        by_name = book(client, manager, name=name[0])
        by_more = book(client, manager, name=name[:2])

    assert sorted(str(each) for some in by_tier.values() for each in some) == sorted(
        map(str, whole)
    )
    for way, found in by_way.items():
        assert found == [each for each in whole if each["moving"] == way]
    assert any(by_way.values())
    assert f"customer:{some}" in names(by_name)
    assert f"customer:{some}" not in names(by_more)
    assert name not in str(by_name)


def test_a_customer_who_is_given_to_another_or_merged_is_in_one_book_once(running: Running) -> None:
    """And each look at a list is a look at each who stands in it."""
    first, second, *_ = sorted(each for each in OWN if OWN[each] == OWN[min(OWN)])
    say(running, ("given", first, ManagerAssigned(manager="manager:ning")))
    with running.calls("manager", who="ning") as ning, running.calls("supervisor") as others:
        alone = names(book(ning, "ning"))
        before = names(book(others, OWN[first]))
        say(running, ("given-2", second, ManagerAssigned(manager="manager:ning")))
        say(running, ("merged", first, IdentitiesMerged(other=second, reason="one passport")))
        wait_until(lambda: len(book(ning, "ning")) == 1)
        job = f"/v1/jobs/{token_hex(16)}"
        asked = {"kind": "bundle", "customer": first.partition(":")[2]}
        with running.calls("auditor", who="wang.fang") as auditor:
            auditor.put(job, json=asked).raise_for_status()
            wait_until(lambda: auditor.get(job).json()["state"] == "done")
    running.settle()
    looked = [
        {
            (look["who"], look["what"])
            for look in running.report("audit", "access", each.partition(":")[2])["looks"]
        }
        for each in (first, second)
    ]
    told = running.report("replay", "tell-managers")["told"]
    running.settle()
    with running.calls("manager", who="ning") as ning:
        again = len(book(ning, "ning"))

    assert (told > 0, again) == (True, 1)
    assert alone == {first}
    assert first not in before
    assert all({("ning", "book"), ("wang.fang", "bundle")} <= each for each in looked)
    assert running.report("replay", "verify")["found"] == 0
    running.must_agree()


def test_who_is_restricted_or_forgotten_is_in_no_book(running: Running) -> None:
    """And who is no longer restricted is in it again."""
    customer = max(OWN)
    number, manager = customer.partition(":")[2], OWN[customer]
    by = ("--by", "he.jing", "--reason", "a dispute")
    with running.calls("supervisor") as client:
        there = [customer in names(book(client, manager))]
        for order in (("restrict",), ("lift",), ("forget", "--early")):
            running.report("privacy", order[0], number, *by, *order[1:])
            running.settle()
            there.append(customer in names(book(client, manager)))

    assert there == [True, False, True, False]
    assert running.report("replay", "verify")["found"] == 0


def test_what_happened_is_told_backwards_in_short_and_masked(running: Running) -> None:
    """Unfolded it is the history without what the bank told itself; folded it counts the same."""
    customer = with_one_number(running)
    internal = {each.__name__ for each in INTERNAL}
    with running.calls("auditor") as auditor:
        said = auditor.get(f"/v1/customers/{customer}/history?limit=1000").json()["events"]
        seen = pages(auditor, customer, unfolded="true", limit="500")
        paged = pages(auditor, customer, unfolded="true")
        short = pages(auditor, customer)
        tiers = pages(auditor, customer, unfolded="true", about="tiering")
    with running.calls("supervisor") as supervisor:
        masked = pages(supervisor, customer, unfolded="true", about="customers")
    history = [
        each
        for each in said
        if "".join(map(str.title, each["type"].partition(".")[0].split("-"))) not in internal
    ]
    history.sort(
        key=lambda each: (each["business_date"], each["recorded_at"], each["version"]), reverse=True
    )
    versions = [each["version"] for each in history]
    name = next(each["data"]["name"] for each in history if each["type"] == "customer-onboarded.v1")

    assert [each["data"] for each in seen] == [each["data"] for each in history]
    assert [each["version"] for each in paged] == versions
    sums = [each for each in short if "in" in each]
    assert sum(sum(way.values()) for each in sums for way in (each["in"], each["out"])) == sum(
        each["data"]["amount"]
        for each in history
        if each["type"] == "transaction-posted.v1" and each["version"] not in alone(short)
    )
    assert sum(each.get("count", 1) for each in short) == len(history)
    assert max(each.get("count", 1) for each in short) > 1
    assert {each["type"].partition(".")[0] for each in short if "count" in each} <= {
        kebab(each.__name__) for each in EVERYDAY
    }
    assert [each["version"] for each in tiers] == [
        each["version"] for each in history if each["type"].startswith("tier-")
    ]
    assert masked
    assert name not in str(masked)


@pytest.mark.parametrize("before", ["0~0", "999999999999999999~0"])
def test_a_place_behind_the_end_or_before_the_beginning_is_answered_at_once(
    running: Running, before: str
) -> None:
    """No number makes a question read more than there is."""
    customer = with_one_number(running)
    path = f"/v1/customers/{customer}/timeline"
    with running.calls("supervisor") as client:
        asked = client.get(path, params={"before": before, "limit": 1}, timeout=5)
        first = client.get(path, params={"limit": 1})

    assert asked.status_code == 200
    assert asked.json()["events"] == ([] if before == "0~0" else first.json()["events"])


def with_one_number(running: Running) -> str:
    """The number of a customer who has no other, and of whom much is recorded."""
    told = Counter(each.stream for each in EVENTS if each.stream.startswith("customer:"))
    for stream, _ in told.most_common():
        number = stream.partition(":")[2]
        found = running.client.get(f"/v1/customers/{number}")
        if found.status_code == 200 and "person" not in found.json():
            return number
    raise AssertionError("nobody has one number")


def alone(short: list[dict[str, Any]]) -> set[int]:
    """The versions of what is told by itself."""
    return {each["version"] for each in short if "count" not in each}


def kebab(name: str) -> str:
    """The name of an event type, by that of its class."""
    return "".join(f"-{each.lower()}" if each.isupper() else each for each in name).strip("-")


def pages(client: httpx.Client, customer: str, **asked: str) -> list[dict[str, Any]]:
    """All pages of a timeline."""
    found, before = list[dict[str, Any]](), dict[str, str]()
    for _ in range(100):
        answer = client.get(
            f"/v1/customers/{customer}/timeline", params={"limit": 40, **asked, **before}
        )
        assert answer.status_code == 200, answer.text
        found += answer.json()["events"]
        if answer.json()["next"] is None:
            return found
        before = {"before": answer.json()["next"]}
    raise AssertionError(before)
