"""A bank that the release before wrote goes on under this one.

Read, verified, rebuilt to the same digests, upgraded in place.
"""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.keys import public_keys
from deploy.settings import Settings
from replay.evidence.signed_note import ProofError
from replay.evidence.verify_bundle import audit
from tests.conftest import Running, settings_in

RECORDED = Path(__file__).parent / "release-0.1"
"""Six customers over four months: complaints, coupons, a survey, offers that were accepted.

Written by release 0.1.
"""
SAID: dict[str, Any] = json.loads((RECORDED / "said.json").read_text(encoding="utf-8"))
"""What that release answered, and its digests."""
ADOPTED = {"live@1", "versions@1"}
"""What the first start of this release adds to: the policies that it adopts."""
NEW = {
    "profile@3": "profile@1",
    "months@3": "months@1",
    "whole@2": "whole@1",
    "offers@4": "offers@3",
    "model@4": "model@3",
}
"""What is folded anew under another version, because it says something else; and what it was."""


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """That bank's folder, with its journal, keys, evidence and a snapshot of its read models, under
    this release.
    """
    folder = tmp_path_factory.mktemp("upgraded")
    with tarfile.open(RECORDED / "bank.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    with Running(settings_in(folder, shards=2)) as made:
        made.settle()
        yield made


def test_every_digest_is_the_same_live_and_rebuilt(upgraded: Running) -> None:
    """Of each projection whose version is the same.

    Live under this release is what a rebuild comes to.
    """
    live = upgraded.must_agree()
    same = (SAID["digests"].keys() & live.keys()) - ADOPTED

    assert SAID["digests"].keys() - same - ADOPTED == {*NEW.values()}
    assert {key: live[key] for key in same} == {key: SAID["digests"][key] for key in same}


def test_managers_learn_whom_they_look_after(upgraded: Running) -> None:
    """By the command that is given once after the upgrade; given twice, it tells nothing new."""
    told = [upgraded.report("replay", "tell-managers")["told"] for _ in "12"]
    upgraded.settle()
    managers = {
        customer: upgraded.client.get(f"/v1/customers/{customer}").json()["profile"]["manager"]
        for customer in SAID["customers"]
    }
    kept = {
        customer
        for manager in {each for each in managers.values() if each}
        for customer in book(upgraded, manager)
    }

    assert told[0] == told[1] > 0
    assert kept == {customer for customer, manager in managers.items() if manager}


def book(running: Running, manager: str) -> set[str]:
    """The customers of a manager, as they are answered."""
    name = manager.removeprefix("manager:")
    found = running.client.get(f"/v1/managers/{name}/customers", params={"limit": 100}).json()
    return {each["customer"] for each in found["customers"]}


def test_everything_verifies(upgraded: Running) -> None:
    """Events against what was noted of them, states against their histories, the journal against
    what was signed.
    """
    assert upgraded.report("replay", "verify")["found"] == 0
    assert upgraded.report("audit", "verify-journal")["findings"] == []


@pytest.mark.parametrize("customer", SAID["customers"])
def test_what_left_the_profile_is_in_rooms_of_its_own(upgraded: Running, customer: str) -> None:
    """Every field that the release before showed is shown, as it was."""
    before, now = (
        SAID["customers"][customer]["picture"],
        upgraded.client.get(f"/v1/customers/{customer}").json(),
    )
    profile = dict(before["profile"])
    moved = {
        name: profile.pop(name)
        for name in ("open_cases", "cases_closed", "survey_score", "coupons", "attended")
    }

    assert profile.pop("identities") == []
    assert now["profile"] == profile
    assert (now["complaints"]["open"], now["complaints"]["closed"]) == (
        moved["open_cases"],
        moved["cases_closed"],
    )
    assert now["benefits"] == {"coupons": moved["coupons"], "attended": moved["attended"]}
    assert now["surveys"] == {"score": moved["survey_score"]}
    shares = [each.pop("share_permille", None) for each in now["balances"].values()]
    assert shares.count(500) == (customer in ("100000", "100001"))
    assert now["balances"] == before["balances"]


@pytest.mark.parametrize("customer", SAID["customers"])
def test_months_and_tiers_are_answered_as_before(upgraded: Running, customer: str) -> None:
    """Each month with the complaints that were open at its end, although they are folded
    elsewhere now; and which of its days were active, and which scheme counts, which is new.
    """
    client, before = upgraded.client, SAID["customers"][customer]
    ledger = client.get(f"/v1/customers/{customer}/ledger").json()

    for row in ledger["months"].values():
        assert row.pop("active").bit_count() == row["active_days"]
    assert ledger == before["ledger"]
    tier = client.get(f"/v1/customers/{customer}/tier").json()
    assert [tier.pop(name) for name in ("scheme", "because", "schemes")] == ["retail", [], {}]
    assert (tier.pop("amounts"), tier.pop("tiers")["mass"]["en"]) == ({"assets": "CNY"}, "Mass")
    assert tier == before["tier"]


def test_a_bundle_of_the_release_before_proves_what_it_says() -> None:
    """Its file, by its keys; and not with one byte changed."""
    keys = public_keys(Settings(), RECORDED / "keys.txt")
    bundle = (RECORDED / "100000.bundle").read_bytes()
    found, _document = audit(bundle, keys)

    assert found.customer == "customer:100000"
    assert found.events > 10
    with pytest.raises(ProofError):
        audit(bundle.replace(b"customer:100000", b"customer:100001", 1), keys)


def test_a_bank_that_was_upgraded_goes_on(upgraded: Running) -> None:
    """New events are recorded and folded behind the old ones."""
    event = {
        "specversion": "1.0",
        "id": "after-the-upgrade",
        "source": "test",
        "type": "tierfold.complaint-closed.v1",
        "subject": "customer:100000",
        "time": "2026-11-29T12:00:00+08:00",
        "businessdate": "2026-11-29",
        "data": {"case": "k-2", "outcome": "settled"},
    }
    sent = upgraded.client.post(
        "/v1/interactions", json=event, headers={"content-type": "application/cloudevents+json"}
    )
    upgraded.settle()

    assert sent.status_code == 201
    assert upgraded.client.get("/v1/customers/100000").json()["complaints"] == {
        "open": {},
        "closed": 2,
        "disputed": [["", "2026-01", 1], ["2026-02", "2026-03", 1], ["2026-03", "2026-04", 1]],
    }
    upgraded.must_agree()
