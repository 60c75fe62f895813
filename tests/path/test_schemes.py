"""Several schemes at once, each with its own rule: from files to what every reader sees."""

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from deploy.wiring import journal_of
from domain.customers.events import IdentitiesMerged
from domain.envelope import Proposed
from domain.tiering.assessment import tier_on
from domain.tiering.events import TierOverridden
from domain.tiering.policy import TierPolicy
from projections.views.history import customers_under
from replay.history.as_of import as_of
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, settings_in
from tests.path.test_rollout import told
from tests.sizes import sized

TIERS = POLICIES / "tiers"
RULES = {
    "retail": TIERS / "bohai-retail.yaml",
    "stars": TIERS / "icbc-stars.yaml",
    "private": TIERS / "private-entry-six-million.yaml",
    "corporate": TIERS / "corporate-key-accounts.yaml",
}
ONE_EVENT = {"content-type": "application/cloudevents+json"}
EASIER = {
    "stars": ("assessed_in: [6, 12]", "assessed_in: [3, 6, 12]"),
    "private": ("at_least: 600000000", "at_least: 20000000"),
    "corporate": ("at_least: 1000000000", "at_least: 100000"),
}
"""So that somebody stands high in each, within a few months of a small bank."""
BANK = sized(Bank(customers=100, months=4, seed=7), Bank(customers=1_000, months=8, seed=7))
PROMOTIONS = sized(3, 50)


def rule_of(scheme: str, folder: Path) -> Path:
    """The rule of a scheme, within reach of this bank."""
    path = folder / f"{scheme}.yaml"
    text = RULES[scheme].read_text(encoding="utf-8")
    path.write_text(text.replace(*EASIER.get(scheme, ("", ""))), encoding="utf-8")
    return path


def live_in(running: Running, version: str, *of: str) -> Any:
    """Compare a version with what is live, approve it, and promote it; gives the comparison."""
    found = running.report("replay", "compare", "live", version)
    agreed = ("--by", "zhang.min", "--report", found["digest"])
    running.report("replay", "approve", version, *of, *agreed)
    running.report("replay", "promote", version, *of, "--by", "zhang.min")
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A bank whose four schemes are live."""
    with Running(settings_in(tmp_path_factory.mktemp("schemes"))) as made:
        path = made.settings.data_dir / "bank.jsonl"
        one_number_each = (
            each for each in synth(BANK) if not isinstance(each.data, IdentitiesMerged)
        )
        path.write_bytes(b"\n".join(map(write, one_number_each)))
        made.report("feed", str(path))
        made.settle()
        for scheme in ("stars", "private", "corporate"):
            rule = ("--policy", str(rule_of(scheme, made.settings.data_dir)))
            rebuilt = made.report("replay", "rebuild", "tier", *rule, "--by", "li.wei")
            before = told(made)
            found = live_in(made, rebuilt["version"])
            assert (told(made) - before).total() == found["up"], "a beginning was not waited for"
        yield made


def customers() -> list[str]:
    """Everybody in the bank."""
    return sorted(
        {
            each.stream.removeprefix("customer:")
            for each in synth(BANK)
            if each.stream.startswith("customer:")
        }
    )


def tiers(running: Running, customer: str, **asked: str) -> Mapping[str, Any]:
    """What a customer's tier is answered to be."""
    answer = running.client.get(f"/v1/customers/{customer}/tier", params=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def alone(running: Running, policy: TierPolicy, customer: str) -> str:
    """The tier of a customer where this rule is the only one, folded from the journal."""
    today = datetime.now(ZoneInfo(running.settings.timezone)).date()
    states = as_of(journal_of(running.settings), customers_under([policy]), f"customer:{customer}")
    return tier_on(policy, states.standings[0], today)


def test_nobody_approves_what_they_brought_under_another_spelling(running: Running) -> None:
    """And whoever did not look is not told the digest that an approval names."""
    of = ("--of", "precedence")
    order = str(POLICIES / "precedence.yaml")
    version = running.report("policy", "propose", order, "--by", "li.wei")["version"]
    digest = running.report("replay", "compare", "live", version)["digest"]

    own = running.run("replay", "approve", version, *of, "--by", "Li-Wei", "--report", digest)
    blind = running.run("replay", "approve", version, *of, "--by", "zhang", "--report", "0" * 64)

    assert (own.returncode, blind.returncode) == (2, 2)
    assert b"somebody else has to approve it" in own.stderr
    assert digest.encode() not in blind.stderr
    running.report("replay", "withdraw", version, "--of", "precedence", "--by", "li.wei")


def test_each_standing_is_that_of_the_rule_alone(running: Running) -> None:
    """Of every customer in every scheme, and somebody stands high in each."""
    folder = running.settings.data_dir
    policies = {scheme: read_policy(rule_of(scheme, folder)) for scheme in RULES}
    wrong, high = [], set[str]()
    for customer in customers():
        answer = tiers(running, customer)
        for scheme, policy in policies.items():
            tier = answer["schemes"].get(scheme)
            if (tier or policy.tiers[0].tier) != alone(running, policy, customer):
                wrong.append((customer, scheme))
            if tier not in (None, policy.tiers[0].tier):
                high.add(scheme)

    assert not wrong
    assert high == {*RULES}


def test_a_scheme_that_is_named_is_answered_in_full(running: Running) -> None:
    """With its own grounds; one that there is not is not found."""
    customer = customers()[0]

    stars, retail = tiers(running, customer, scheme="stars"), tiers(running, customer)
    unknown = running.client.get(f"/v1/customers/{customer}/tier?scheme=gold-club")
    why = running.client.get(f"/v1/customers/{customer}/explain?scheme=stars").json()

    assert (stars["scheme"], stars["policy"]) == ("stars", "icbc-stars@1")
    assert (retail["scheme"], retail["policy"]) == ("retail", "bohai-retail@1")
    assert (unknown.status_code, why["policy"]) == (404, "icbc-stars@1")


def test_a_precedence_says_whose_tier_counts(running: Running) -> None:
    """Brought, compared, approved by another person, promoted; taken back, all is as before."""
    people = customers()
    before = {customer: tiers(running, customer) for customer in people}
    companies = [who for who in people if "corporate" in before[who]["schemes"]]
    order = str(POLICIES / "precedence.yaml")
    version = running.report("policy", "propose", order, "--by", "li.wei")["version"]
    refused = running.run("replay", "promote", version, "--of", "precedence", "--by", "zhang.min")

    compared = live_in(running, version, "--of", "precedence")
    after = {customer: tiers(running, customer) for customer in people}
    offers = [running.client.get(f"/v1/customers/{who}/next-best-offer?channel=branch").json() for who in people[:20]]  # fmt: skip  # noqa: E501
    running.settle()
    running.report(
        *("replay", "roll-back", "--of", "precedence", "--by", "zhang.min"),
        *("--reason", "a test"),
    )
    back = {customer: tiers(running, customer) for customer in people}

    assert refused.returncode == 2
    assert b"no approval against nothing, as things are now" in refused.stderr
    assert {answer["scheme"] for answer in before.values()} == {"retail"}
    moved = {who for who in people if after[who]["scheme"] != "retail"}
    assert compared["moved"] == len(moved) > 0
    assert moved >= set(companies)
    assert all(after[who]["tier"] == before[who]["schemes"][after[who]["scheme"]] for who in people)
    assert all(after[who]["because"][-1] == f"{after[who]['scheme']} counts" for who in moved)
    labels = {answer["policy"] for answer in offers}
    assert labels <= {after[who]["policy"] for who in people}
    assert back == before
    decisions = running.report("replay", "verify-decisions")
    assert decisions["equal"] == decisions["recorded"] >= len(offers)


def test_a_promotion_that_the_precedence_does_not_go_with_is_refused(
    running: Running, tmp_path: Path
) -> None:
    """Where it counts from a tier that the new rule does not have."""
    file = str(POLICIES / "precedence.yaml")
    order = running.report("policy", "propose", file, "--by", "li.wei")["version"]
    live_in(running, order, "--of", "precedence")
    renamed = tmp_path / "renamed.yaml"
    text = rule_of("private", tmp_path).read_text(encoding="utf-8")
    text = text.replace("tier: private,", "tier: elite,")
    renamed.write_text(text.replace("version: 1", "version: 2"), encoding="utf-8")
    rule = ("--policy", str(renamed), "--by", "li.wei")
    version = running.report("replay", "rebuild", "tier", *rule)["version"]
    found = running.report("replay", "compare", "live", version)
    agreed = ("--by", "zhang.min", "--report", found["digest"])
    running.report("replay", "approve", version, *agreed)

    refused = running.run("replay", "promote", version, "--by", "zhang.min")

    assert refused.returncode == 2
    assert b"has no tier private" in refused.stderr
    running.report("replay", "withdraw", version, "--by", "li.wei")
    taken_back = ("--of", "precedence", "--by", "zhang.min", "--reason", "a test")
    running.report("replay", "roll-back", *taken_back)


def test_a_person_with_several_numbers_has_one_answer_in_each_scheme(running: Running) -> None:
    """By any number, from the read models and from the journal; a decision is made again."""
    one, other = customers()[:2]
    now = datetime.now(UTC)
    merged = IdentitiesMerged(other=f"customer:{other}", reason="one passport")
    said = write(Proposed("core", "merged", f"customer:{one}", now, now.date(), merged))
    posted = running.client.post("/v1/interactions", content=said, headers=ONE_EVENT)
    assert posted.status_code == 201, posted.text
    running.settle()

    for scheme in ("retail", "stars", "private"):
        by_number = [tiers(running, each, scheme=scheme) for each in (one, other)]
        assert [each.pop("customer") for each in by_number] == [one, other]
        assert by_number[0] == by_number[1]
        path = f"/v1/customers/{other}/explain?scheme={scheme}"
        why = running.client.get(path).json()
        assert (why["tier"], why["numbers"]) == (
            by_number[0]["tier"],
            [f"customer:{each}" for each in by_number[0]["person"]["numbers"]],
        )
        past = running.client.get(f"/v1/customers/{one}/as-of").json()
        state = past["tier" if scheme == "retail" else f"tier-{scheme}"]
        assert state["tier"] == by_number[0]["assessed"]
    asked = running.client.get(f"/v1/customers/{other}/next-best-offer?channel=branch").json()
    running.settle()
    again = running.client.get(f"/v1/decisions/{asked['decision']}/explanation").json()
    assert again["equal"], again["differs"]


def test_a_rule_that_is_folded_once_more_decides_the_same(running: Running) -> None:
    """Its second version has another name, and a decision under it can be made again."""
    version = running.report("replay", "rebuild", "tier", "--by", "ops")["version"]
    live_in(running, version)
    customer = customers()[3]
    asked = running.client.get(f"/v1/customers/{customer}/next-best-offer?channel=branch").json()
    running.settle()
    running.report("replay", "roll-back", "--by", "zhang.min", "--reason", "a test")
    running.report("replay", "withdraw", version, "--by", "ops")
    again = running.client.get(f"/v1/decisions/{asked['decision']}/explanation").json()

    assert version.endswith("/2")
    assert again["equal"], again["differs"]


def test_a_tier_set_by_hand_is_of_one_scheme(running: Running) -> None:
    """Which has to be said where several have that tier; the others are as they were."""
    customer = customers()[4]
    before = tiers(running, customer)["schemes"]

    def by_hand(name: str, **fields: Any) -> httpx.Response:
        now = datetime.now(UTC)
        data = TierOverridden(approver="li", reason="a test", until=date(2099, 1, 1), **fields)
        event = Proposed("li", name, f"customer:{customer}", now, now.date(), data)
        with running.calls("supervisor", who="li") as client:
            return client.post("/v1/interactions", content=write(event), headers=ONE_EVENT)

    unknown = by_hand("h-1", tier="private", scheme="gold-club")
    elsewhere = by_hand("h-2", tier="diamond", scheme="private")
    said = by_hand("h-3", tier="private", scheme="private")
    running.settle()
    after = tiers(running, customer)["schemes"]

    assert (unknown.status_code, elsewhere.status_code) == (422, 422)
    assert said.status_code == 201, said.text
    assert after == {**before, "private": "private"}


def test_promotions_in_one_scheme_change_no_answer_of_the_others(
    running: Running, tmp_path: Path
) -> None:
    """Back and forth under questions; live stays as rebuilt, and everybody moved is told once."""
    people, seen, stop = customers()[:20], list[Mapping[str, str]](), threading.Event()
    first = {who: tiers(running, who)["schemes"] for who in people}
    easier = tmp_path / "easier.yaml"
    text = rule_of("stars", tmp_path).read_text(encoding="utf-8")
    text = text.replace("at_least: 50}", "at_least: 10}")
    easier.write_text(text.replace("version: 1", "version: 2"), encoding="utf-8")
    rule = ("--policy", str(easier), "--by", "li.wei")
    version = running.report("replay", "rebuild", "tier", *rule)["version"]
    old = running.report("replay", "versions")["groups"]["standings@1/stars"]["live"]
    before = told(running)
    compared = live_in(running, version)

    def ask() -> None:
        while not stop.is_set():
            for who in people:
                others = {**tiers(running, who)["schemes"]}
                del others["stars"]
                if others != {name: tier for name, tier in first[who].items() if name != "stars"}:
                    seen.append(others)

    asking = threading.Thread(target=ask)
    asking.start()
    switches = 1
    while switches < PROMOTIONS:
        target = old if switches % 2 else version
        live_in(running, target)
        switches += 1
    stop.set()
    asking.join()

    assert compared["up"] > 0
    assert seen == []
    groups = running.report("replay", "versions")["groups"]
    assert groups["standings@1"]["before"] is None
    moved = (told(running) - before).total()
    assert moved == compared["up"] * switches
    running.settle()
    running.must_agree()
    assert running.report("replay", "verify")["found"] == 0


def test_a_scheme_that_begins_can_be_taken_back(running: Running) -> None:
    """Then nobody stands in it, and the others are as they were."""
    customer = customers()[0]
    before = tiers(running, customer)["schemes"]

    done = running.report(
        *("replay", "roll-back", "--scheme", "private", "--by", "zhang.min", "--reason", "a test")
    )
    after = tiers(running, customer)["schemes"]

    assert done["live"] is None
    assert after == {name: tier for name, tier in before.items() if name != "private"}
