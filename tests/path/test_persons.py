"""One person with several numbers is one customer, whichever number is asked for.

Everywhere: the picture, the tier, the household, offers, history, rights, and what can be proven.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.accounts.events import AccountOpened, BalanceReported
from domain.bank.events import DayClosed
from domain.customers.events import (
    ConsentGranted,
    ConsentWithdrawn,
    ContactStated,
    CustomerOnboarded,
    IdentitiesMerged,
    IdentitiesUnmerged,
    ProfileFactStated,
)
from domain.envelope import Proposed
from domain.event import BANK, Interaction
from domain.households.events import HouseholdJoined
from domain.managers.events import ManagerAssigned
from replay.evidence.bundle import split
from streams.ingest.cloudevents import BATCH, write, write_batch
from tests.conftest import Running, settings_in, wait_until
from tests.path.test_households import rule

THREE = 3_000_000
"""Minor units: alone not enough for the upper tier, twice as much is."""
BOUND = 5_000_000
BEGIN, TODAY = date(2026, 1, 2), datetime.now(UTC).date()


class Told:
    """Hands events in, each under a name of its own."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self._number = 0

    def __call__(self, *said: tuple[str, Interaction], day: date = BEGIN) -> None:
        """What is said of these, on a day."""
        events = []
        for stream, data in said:
            self._number += 1
            at = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
            events.append(write(Proposed("core", str(self._number), stream, at, day, data)))
        posted = self.running.client.post(
            "/v1/interactions", content=write_batch(events), headers={"content-type": BATCH}
        )
        assert posted.status_code == 201, posted.text
        self.running.settle()

    def customer(self, name: str, balance: int = THREE) -> None:
        """Somebody with an account."""
        stream = f"customer:{name}"
        self(
            (stream, CustomerOnboarded(source="branch", born=date(1980, 5, 1))),
            (stream, AccountOpened(account=f"a-{name}", product="demand", currency="CNY")),
            (stream, BalanceReported(account=f"a-{name}", balance=balance, currency="CNY")),
        )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A bank by a rule that counts families, with two months closed.

    `p1` and `p2` are one person; `u1` and `u2` were one until the tenth of February; `h1`, who
    lives with `wife`, is one with `h2`, who is in no household.
    """
    folder = tmp_path_factory.mktemp("persons")
    with Running(settings_in(folder, policy=rule(folder, version=1, bound=BOUND))) as made:
        told = Told(made)
        for name in ("p1", "p2", "p3", "u1", "u2"):
            told.customer(name)
        told.customer("wife", balance=100)
        told.customer("h1")
        told.customer("h2")
        for name in ("h1", "wife"):
            joined = HouseholdJoined(household="household:h", role="member")
            told((f"customer:{name}", joined), day=date(2026, 1, 3))
        for one, other in (("p1", "p2"), ("u1", "u2"), ("h1", "h2")):
            merged = IdentitiesMerged(other=f"customer:{other}", reason="one passport")
            told((f"customer:{one}", merged), day=date(2026, 1, 5))
        told((BANK, DayClosed(date=date(2026, 1, 31))), day=date(2026, 1, 31))
        undone = IdentitiesUnmerged(other="customer:u1", reason="two passports")
        told(("customer:u2", undone), day=date(2026, 2, 10))
        told((BANK, DayClosed(date=date(2026, 2, 28))), day=date(2026, 2, 28))
        yield made
        assert made.stop() == 0


@pytest.fixture(scope="module")
def client(running: Running) -> httpx.Client:
    """A caller who may do everything."""
    return running.calls()


def answered(client: httpx.Client, path: str, **asked: Any) -> dict[str, Any]:
    """An answer without the number by which it was asked."""
    answer = client.get(f"/v1/customers/{path}", params=asked)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    said.pop("customer")
    return said


@pytest.mark.parametrize(
    "question", ["", "/tier", "/ledger", "/history", "/as-of", "/explain", "/foresight"]
)
def test_every_question_is_answered_the_same_by_either_number(
    client: httpx.Client, question: str
) -> None:
    """And the answer says which numbers there are; models are looked at anew once in a while."""
    wait_until(
        lambda: answered(client, f"p1{question}") == answered(client, f"p2{question}"), patience=10
    )


def test_the_tier_is_that_of_all_together_with_its_grounds(client: httpx.Client) -> None:
    """Two of three million each reach what five asks for; one alone does not."""
    tiers = {name: answered(client, f"{name}/tier") for name in ("p1", "p2", "p3")}

    assert {name: said["tier"] for name, said in tiers.items()} == {
        "p1": "premier",
        "p2": "premier",
        "p3": "personal",
    }
    assert tiers["p2"]["grounds"]["seen"] == {"relationship": 2 * THREE}
    assert tiers["p2"]["person"] == {"stays": "p1", "numbers": ["p1", "p2"]}
    why = answered(client, "p2/explain", on="2026-02-28")
    assert why["numbers"] == ["customer:p1", "customer:p2"]
    assert {moved["number"] for moved in why["assessments"][-1]["largest"]} == {
        "customer:p1",
        "customer:p2",
    }


def test_before_the_merge_they_are_two(client: httpx.Client) -> None:
    """As of a day before it, and by what had been recorded before it."""
    then = answered(client, "p2/as-of", occurred="2026-01-04")

    assert "person" not in then
    assert {*then["ledger"]["accounts"]} == {"a-p2"}
    assert {*answered(client, "p2/as-of", occurred="2026-01-05")["ledger"]["accounts"]} == {
        "a-p1",
        "a-p2",
    }


def test_an_unmerge_gives_each_back_what_was_its_own(client: httpx.Client) -> None:
    """From the day that it is dated; the day before they were one."""
    for name in ("u1", "u2"):
        now = answered(client, f"{name}/tier")
        assert now["tier"] == "personal"
        assert now["grounds"]["seen"] == {"relationship": THREE}
        assert "person" not in now
        then = answered(client, f"{name}/as-of", occurred="2026-02-09")
        assert then["person"]["numbers"] == ["u1", "u2"]
        assert then["tier"]["tier"] == "premier"
        alone = answered(client, f"{name}/as-of", occurred="2026-02-10")
        assert (alone["tier"]["tier"], {*alone["ledger"]["accounts"]}) == (
            "personal",
            {f"a-{name}"},
        )


def test_a_household_counts_a_person_once_with_all_their_numbers(client: httpx.Client) -> None:
    """The other number's money too, though that number never joined; two people, not three."""
    whole = client.get("/v1/households/h").json()
    then = client.get("/v1/households/h/as-of", params={"occurred": "2026-02-28"}).json()

    [closing] = [each["closing"] for each in whole["months"]["2026-02"]["total"]["assets"]]
    assert closing == 2 * THREE + 100
    assert whole["months"]["2026-02"]["members"] == 2
    assert sum(each["closing"] for each in then["total"]["assets"]) == closing
    assert {answered(client, f"{name}/tier")["tier"] for name in ("wife", "h1", "h2")} == {
        "premier"
    }


def test_history_is_one_timeline_page_by_page(client: httpx.Client) -> None:
    """Each event with its number; nothing twice, and nothing left out."""
    everything = answered(client, "p1/history", limit=1000)["events"]
    found, after = [], "0"
    while after is not None:
        page = answered(client, "p1/history", limit=2, after=after)
        found += page["events"]
        after = page["next"]

    assert found == everything
    assert {event["number"] for event in found} == {"p1", "p2"}
    assert [event["recorded_at"] for event in found] == sorted(
        event["recorded_at"] for event in found
    )
    wrong = client.get("/v1/customers/p1/history", params={"after": "1,2,3"})
    assert (wrong.status_code, "numbers are others now" in wrong.text) == (422, True), wrong.text


def test_what_was_refused_on_one_number_is_not_offered_on_the_other(running: Running) -> None:
    """The strictest consent counts for the person, until a yes that is later than the merge."""
    told, client = Told(running), running.calls()
    told._number = 1_000
    for name in ("c1", "c2"):
        told.customer(name)
        told((f"customer:{name}", ConsentGranted(purpose="marketing", source="app")))
    no = ConsentWithdrawn(purpose="marketing", source="app")
    told(("customer:c1", no), day=date(2026, 1, 3))
    told(("customer:c2", ConsentGranted(purpose="marketing", source="app")), day=date(2026, 1, 4))
    merged = IdentitiesMerged(other="customer:c2", reason="r")
    told(("customer:c1", merged), day=date(2026, 1, 5))

    for name in ("c1", "c2"):
        answer = answered(client, f"{name}/next-best-offer", channel="app", limit=10)
        assert "no consent to marketing on app" in {drop["reason"] for drop in answer["dropped"]}
    told(("customer:c2", ConsentGranted(purpose="marketing", source="app")), day=date(2026, 1, 6))
    for name in ("c1", "c2"):
        answer = answered(client, f"{name}/next-best-offer", channel="app", limit=10)
        assert "no consent to marketing on app" not in {
            drop["reason"] for drop in answer["dropped"]
        }


def test_a_cap_of_one_message_a_week_is_one_for_all_numbers(running: Running) -> None:
    """Whichever number is asked first."""
    told, client = Told(running), running.calls()
    told._number = 2_000
    for name in ("s1", "s2"):
        told.customer(name)
        stream = f"customer:{name}"
        told(
            (stream, ConsentGranted(purpose="marketing", source="app")),
            (stream, ContactStated(medium="phone", value="13800138000", source="app")),
        )
    told(("customer:s1", IdentitiesMerged(other="customer:s2", reason="r")))

    first, second = (
        answered(client, f"{name}/next-best-offer", channel="sms") for name in ("s2", "s1")
    )

    assert first["offer"] is not None
    assert second["offer"] is None
    assert any("contacted often enough" in drop["reason"] for drop in second["dropped"])


def test_a_manager_of_one_number_sees_the_person_and_the_looks_name_both(
    running: Running,
) -> None:
    """Nobody else's manager does."""
    told = Told(running)
    told._number = 3_000
    told(("customer:p1", ManagerAssigned(manager="manager:li.wei")), day=date(2026, 3, 1))

    assert running.calls("manager", who="li.wei").get("/v1/customers/p2/tier").status_code == 200
    assert running.calls("manager", who="other").get("/v1/customers/p2/tier").status_code == 403
    running.settle()
    for number in ("p1", "p2"):
        looks = running.report("audit", "access", number)["looks"]
        assert {"who": "li.wei", "what": "tier"}.items() <= looks[-1].items()


def test_decisions_about_a_person_are_made_again_byte_for_byte(running: Running) -> None:
    """From all numbers' histories; and live is rebuilt, and verified."""
    answered(running.client, "p2/next-best-offer", channel="branch")
    answered(running.client, "h2/next-best-offer", channel="branch")
    running.settle()

    again = running.report("replay", "verify-decisions")

    assert (again["different"], again["unknown"]) == (0, 0)
    assert again["equal"] == again["recorded"] > 0
    running.must_agree()
    assert running.report("replay", "verify")["found"] == 0


def test_a_bundle_proves_the_histories_of_all_numbers(running: Running, tmp_path: Path) -> None:
    """By either number; what was decided of the tier is told of the person."""
    bundle, page = tmp_path / "p2.bundle", tmp_path / "p2.html"
    wait_until(lambda: not running.run("audit", "bundle", "p2", "--out", str(bundle)).returncode)

    assert running.report("audit", "verify", str(bundle))["verified"]
    running.run("audit", "report", str(bundle), "--out", str(page))

    _, body = split(bundle.read_bytes())
    assert {"customer:p1", "customer:p2"} <= {
        stream["stream"] for stream in json.loads(body)["streams"]
    }
    assert b"a-p1" in page.read_bytes()


def test_another_rule_is_tried_on_people_not_on_numbers(running: Running, tmp_path: Path) -> None:
    """What-if moves nobody by the live rule, and counts a person once."""
    [same] = running.report("replay", "what-if", str(rule(tmp_path, 2, BOUND)), "--from-journal")[
        "comparisons"
    ]

    assert (same["up"], same["down"]) == (0, 0)
    assert same["counts"][-1][-1] >= 3  # p1, h1 and wife


def test_agents_killed_while_numbers_hear_of_each_other_change_nothing(running: Running) -> None:
    """Each of a chain of four knows all of it when they are back."""
    told, names = Told(running), ("k1", "k2", "k3", "k4")
    told._number = 8_000
    for name in names:
        told.customer(name, balance=100)
    chain = [
        (f"customer:{one}", IdentitiesMerged(other=f"customer:{other}", reason="r"))
        for one, other in pairwise(names)
    ]
    events = [
        write(Proposed("core", f"chain/{number}", stream, datetime.now(UTC), TODAY, data))
        for number, (stream, data) in enumerate(chain)
    ]
    running.client.post(
        "/v1/interactions", content=write_batch(events), headers={"content-type": BATCH}
    )
    running.kill("agents")
    running.settle()

    for name in names:
        assert answered(running.client, name)["person"] == {"stays": "k1", "numbers": [*names]}
    running.must_agree()


def test_numbers_that_may_be_one_persons_are_proposed_and_a_person_decides(
    running: Running,
) -> None:
    """The same document, or phone and birth date; what was decided is not proposed again."""
    told = Told(running)
    told._number = 4_000
    digest = ProfileFactStated(fact="identity-digest", value="5f0c", source="core")
    for name in ("m1", "m2"):
        told.customer(name)
        told((f"customer:{name}", digest))
    proposed = running.report("identities", "propose")["proposals"]

    assert {"by": "identity document", "numbers": ["m1", "m2"]} in proposed
    why = ("--by", "zhao.min", "--reason", "seen at the counter")
    running.report("identities", "merge", "m1", "m2", *why)
    running.settle()
    assert answered(running.client, "m2/tier")["person"]["stays"] == "m1"
    assert {"by": "identity document", "numbers": ["m1", "m2"]} not in running.report(
        "identities", "propose"
    )["proposals"]
    running.report("identities", "unmerge", "m1", "m2", *why)
    running.settle()
    assert "person" not in answered(running.client, "m2/tier")
    unknown = running.run("identities", "merge", "m1", "nobody", *why)
    assert (unknown.returncode, b"nothing was ever recorded" in unknown.stderr) == (2, True)


def test_a_number_of_which_nothing_else_is_known_answers_for_the_person(running: Running) -> None:
    """It may be merged before anything comes for it."""
    told = Told(running)
    told._number = 5_000
    told(("customer:p3", IdentitiesMerged(other="customer:later", reason="r")))

    assert answered(running.client, "later")["person"] == {
        "stays": "p3",
        "numbers": ["p3", "later"],
    }


def test_what_the_law_asks_is_done_to_the_whole_person(running: Running, tmp_path: Path) -> None:
    """Given out, restricted and forgotten by any number, with a certificate for both.

    Who is merged with a forgotten number then is alone; nothing waits for it.
    """
    told = Told(running)
    told._number = 7_000
    for name in ("g1", "g2", "g3"):
        told.customer(name)
    told(("customer:g1", IdentitiesMerged(other="customer:g3", reason="r")))
    told(("customer:g1", IdentitiesUnmerged(other="customer:g3", reason="r")), day=date(2026, 1, 3))
    told(("customer:g1", IdentitiesMerged(other="customer:g2", reason="r")), day=date(2026, 1, 4))
    why = ("--by", "li.wei", "--reason", "asked for")

    file = tmp_path / "known.json"
    given = running.report("privacy", "export", "g2", "--by", "li.wei", "--out", str(file))
    assert given["others"] == ["g1"]
    known = json.loads(file.read_text())["others"]["g1"]
    assert {"account": "a-g1"}.items() <= known["events"][1]["data"].items()

    running.report("privacy", "restrict", "g2", *why)
    assert {running.client.get(f"/v1/customers/{name}").status_code for name in ("g1", "g2")} == {
        403
    }
    certificate = running.report("privacy", "forget", "g2", *why, "--early")
    assert {*certificate["subjects"]} == {"customer:g1", "customer:g2"}
    assert "customer:g3 event 4, 5" in certificate["places"]["numbers of others"]
    for name, code in (("g1", 404), ("g2", 404), ("g3", 200)):
        assert running.client.get(f"/v1/customers/{name}").status_code == code
    told(("customer:g3", IdentitiesMerged(other="customer:g2", reason="r")), day=date(2026, 1, 9))
    assert {*answered(running.client, "g3")["balances"]} == {"a-g3"}
    assert running.client.get("/v1/customers/g2").status_code == 404
    running.must_agree()
    assert running.report("audit", "verify-journal")["findings"] == []
