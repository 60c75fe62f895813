"""Another catalogue, privacy policy, arrival policy: tried, compared, approved, live, taken back.

A file proposes, and changes nothing by itself.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.settings import POLICIES
from domain.accounts.events import TransactionPosted
from domain.envelope import Proposed
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, settings_in, wait_until

BANK = Bank(customers=30, months=2, seed=11)
OTHER = (
    ("version: 3", "version: 4"),
    ("offer: savings-plan\n", "offer: savings-plan\n    kinds: [company]\n"),
)
"""A catalogue in which people are offered no savings plan any more."""
ONE_EVENT = {"content-type": "application/cloudevents+json"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A bank whose branches have asked what to offer."""
    with Running(settings_in(tmp_path_factory.mktemp("policies"))) as made:
        made.run("feed", "-", input=b"\n".join(map(write, synth(BANK))))
        made.settle()
        for customer in customers():
            shown(made, customer)
        made.settle()
        yield made


def customers() -> list[str]:
    """Everybody in the bank."""
    found = {each.stream for each in synth(BANK) if each.stream.startswith("customer:")}
    return sorted(stream.removeprefix("customer:") for stream in found)


def shown(running: Running, customer: str) -> tuple[str, list[str]]:
    """The catalogue of an answer, and what it says to show."""
    asked = {"channel": "branch", "limit": 3}
    answer = running.client.get(f"/v1/customers/{customer}/next-best-offer", params=asked)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    return said["catalogue"], [each["offer"] for each in said["offers"]]


def written(running: Running, name: str, *changes: tuple[str, str]) -> Path:
    """A shipped policy with changes, in a file."""
    text = (POLICIES / name).read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path = running.settings.data_dir / name
    path.write_text(text, encoding="utf-8")
    return path


def live(running: Running, version: str, of: str) -> None:
    """Compare a version with what is live, approve it as somebody else, and promote it."""
    digest = running.report("replay", "compare", "live", version)["digest"]
    who = ("--of", of, "--by", "zhang.min")
    running.report("replay", "approve", version, *who, "--report", digest)
    running.report("replay", "promote", version, *who)


def taken_back(running: Running, of: str) -> None:
    """Go back to the version before."""
    running.report("replay", "roll-back", "--of", of, "--by", "zhang.min", "--reason", "a test")


def test_a_catalogue_is_tried_on_decisions_of_the_past(running: Running) -> None:
    """By funnel and by segment, with reasons; and trying it brings nothing."""
    file = written(running, "offers.yaml", *OTHER)
    before = {who: shown(running, who) for who in customers()}
    running.settle()

    tried = running.report("policy", "try", str(file))["tried"]

    assert tried["looked_at"] == tried["decisions"] >= 2 * len(before)
    assert 0 < tried["changed"] <= tried["looked_at"]
    funnel = {(each["offer"], each["stage"]): each for each in tried["funnel"]}
    held_back = funnel["savings-plan", "eligibility"]
    assert held_back["after"] > held_back["before"]
    assert funnel["savings-plan", "shown"]["after"] < funnel["savings-plan", "shown"]["before"]
    assert {each["by"] for each in tried["segments"]} == {"channel", "kind", "segment", "tier"}
    [branch] = [each for each in tried["segments"] if each["by"] == "channel"]
    assert branch["changed"] == tried["changed"]
    assert any("eligibility" in why for each in tried["moved"] for why in each["because"])
    groups = running.report("replay", "versions")["groups"]
    assert len(groups["catalogue@1"]["versions"]) == 1


def test_a_catalogue_that_says_the_same_changes_nothing(running: Running) -> None:
    """Under another number: nobody would have been offered anything else."""
    file = written(running, "offers.yaml", ("version: 3", "version: 4"))

    found = running.report("policy", "try", str(file))

    assert [each["place"] for each in found["changes"]] == ["version"]
    assert found["tried"]["looked_at"] > 0
    assert (found["tried"]["changed"], found["tried"]["funnel"]) == (0, [])


def test_a_catalogue_is_live_after_two_people_and_taken_back(running: Running) -> None:
    """Who brought it cannot approve it; channels hear at once; each decision can be made again."""
    file = written(running, "offers.yaml", *OTHER)
    who = customers()[0]
    old, _ = shown(running, who)
    version = running.report("policy", "propose", str(file), "--by", "li.wei")["version"]
    early = running.run("replay", "promote", version, "--of", "catalogue", "--by", "zhang.min")
    found = running.report("replay", "compare", "live", version)
    of = ("--of", "catalogue", "--report", found["digest"])
    own = running.run("replay", "approve", version, *of, "--by", "li.wei")

    live(running, version, "catalogue")
    after = {customer: shown(running, customer) for customer in customers()}
    taken_back(running, "catalogue")
    back, _ = shown(running, who)
    running.settle()
    again = running.report("replay", "verify-decisions", "--sample", "1000")

    assert b"no approval against" in early.stderr
    assert b"somebody else has to approve it" in own.stderr
    assert {catalogue for catalogue, _ in after.values()} == {version}
    assert old == back != version
    assert not any("savings-plan" in offers for _, offers in after.values())
    assert again["different"] == 0


def test_a_privacy_policy_is_live_for_whoever_asks_next(running: Running) -> None:
    """A field that it hides is hidden."""
    hidden = ("  profile: {kind: C1,", "  profile: {kind: C2 hidden,")
    file = written(running, "privacy.yaml", hidden, ("version: 1", "version: 2"))
    asks, path = running.calls("supervisor"), f"/v1/customers/{customers()[0]}"
    kind = asks.get(path).json()["profile"]["kind"]
    version = running.report("policy", "propose", str(file), "--by", "li.wei")["version"]
    found = running.report("replay", "compare", "live", version)

    live(running, version, "privacy")
    after = asks.get(path).json()["profile"]["kind"]
    taken_back(running, "privacy")

    assert [change["place"] for change in found["changes"]] == [
        "read_models.profile.kind",
        "version",
    ]
    assert (kind, after) == ("person", "***")
    assert asks.get(path).json()["profile"]["kind"] == kind


def test_an_arrival_policy_is_live_for_what_arrives_next(running: Running) -> None:
    """What lies too far back is refused under it; by how much is said before."""
    narrow = ("transaction-posted: {days_back: 14610", "transaction-posted: {days_back: 10")
    file = written(running, "arrivals.yaml", narrow, ("version: 1", "version: 2"))
    version = running.report("policy", "propose", str(file), "--by", "li.wei")["version"]
    effects = running.report("replay", "compare", "live", version)["effects"]

    live(running, version, "arrivals")
    wait_until(lambda: post_long_ago(running) == 422)  # it is looked for once a second
    taken_back(running, "arrivals")
    wait_until(lambda: post_long_ago(running) == 201)

    counted = {each["what"]: (each["before"], each["after"]) for each in effects}
    before, after = counted["set aside: transaction-posted, businessdate"]
    assert before == 0 < after <= counted["arrivals looked at"][0]


def test_the_banks_own_currency_stays(running: Running) -> None:
    """Its months are kept in it: another would leave rates unheard."""
    file = written(
        running, "arrivals.yaml", ("base: CNY", "base: USD"), ("version: 1", "version: 3")
    )

    refused = running.run("policy", "propose", str(file), "--by", "li.wei")

    assert refused.returncode == 2
    assert b"the bank's own currency stays CNY" in refused.stderr


def post_long_ago(running: Running) -> int:
    """Hand in what was posted a month ago; gives the status."""
    now = datetime.now(UTC)
    day = now.date() - timedelta(days=30)
    posted = TransactionPosted(
        transaction=uuid4().hex, account="A1", amount=5, currency="CNY", kind="transfer"
    )
    event = write(Proposed("core", uuid4().hex, f"customer:{customers()[0]}", now, day, posted))
    return running.client.post("/v1/interactions", content=event, headers=ONE_EVENT).status_code


def test_a_file_that_changes_is_without_effect_and_said_to_be(running: Running) -> None:
    """Until a person brings it."""
    file = written(running, "offers.yaml", *OTHER)
    before, _ = shown(running, customers()[0])
    running.settings = running.settings.model_copy(update={"catalogue": file})
    running.stop()
    running.start()

    after, _ = shown(running, customers()[0])
    metrics = running.client.get("/metrics").text
    refused = running.run("replay", "promote", before, "--of", "catalogue", "--by", "zhang.min")

    assert before == after
    running.settle()
    running.must_agree()
    assert "tierfold_policy_files_without_effect 1.0" in metrics
    assert "tierfold_policy_files_not_adopted 0.0" in metrics
    assert b"is live already" in refused.stderr
