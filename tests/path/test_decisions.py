"""Channels ask, customers answer, and a year later somebody asks why.

Through the whole path, with faults on the way.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from redis import Redis

from deploy.wiring import journal_of
from domain.customers.events import (
    ConsentGranted,
    ConsentWithdrawn,
    ContactStated,
    CustomerOnboarded,
    RiskProfileAssessed,
)
from domain.envelope import Proposed
from domain.event import Interaction
from domain.households.events import HouseholdJoined
from domain.offers.events import OfferAccepted, OfferDeclined, OfferPresented
from streams.broker.kafka import INTERACTIONS, Broker
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import BATCH, write, write_batch
from streams.queries.lookups import STALE
from streams.sources.synth import Bank, synth
from tests.conftest import Running, settings_in, stranger, wait_until
from tests.sizes import sized

BANK = Bank(customers=sized(80, 200), months=3, seed=5)
ASKED = sized(100, 300)
KILLS = {ASKED // 4: "agents", ASKED // 2: "web", 3 * ASKED // 4: "intake"}
ASKING = 8
"""Channels that ask at the same time."""
NOT_RECORDED = "no such decision is recorded"
"""Why an answer is refused whose decision was on its way when the lookups were killed."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack with a small bank in it."""
    with Running(settings_in(tmp_path_factory.mktemp("decisions"))) as made:
        made.run("feed", "-", input=b"\n".join(map(write, synth(BANK))))
        made.settle()
        yield made


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[httpx.Client]:
    """A channel."""
    with running.calls() as made:
        yield made


def said(stream: str, data: Interaction) -> bytes:
    """An event that happens now."""
    now = datetime.now(UTC)
    return write(Proposed("test", uuid4().hex, stream, now, now.date(), data))


def post(client: httpx.Client, *events: bytes) -> None:
    """Hand events in, and wait until they are recorded.

    Once more while the lookups are being restarted.
    """
    for _ in range(100):
        try:
            answer = client.post(
                "/v1/interactions", content=write_batch(events), headers={"content-type": BATCH}
            )
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 503:
            time.sleep(0.2)
            continue
        assert answer.status_code in {200, 201} or NOT_RECORDED in answer.text, answer.text
        return
    raise AssertionError("no answer")


def ask(client: httpx.Client, customer: str, **how: Any) -> dict[str, Any]:
    """The next best offer; asked again while the lookups are being restarted."""
    for _ in range(100):
        try:
            answer = client.get(f"/v1/customers/{customer}/next-best-offer", params=how)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 200:
            return dict(answer.json())
        assert answer.status_code in {404, 503}, answer.text
        time.sleep(0.1)
    raise AssertionError("no answer")


def respond(client: httpx.Client, decided: dict[str, Any], chance: random.Random) -> None:
    """Show what was decided, and answer it as chance has it."""
    stream, decision, offer = (
        f"customer:{decided['customer']}",
        decided["decision"],
        decided["offer"],
    )
    if offer is not None:
        answer = OfferAccepted if chance.random() < 0.2 else OfferDeclined
        post(
            client,
            said(stream, OfferPresented(decision=decision, offer=offer, channel="app")),
            said(stream, answer(decision=decision, offer=offer, channel="app")),
        )


def newcomer(client: httpx.Client, *more: Interaction) -> str:
    """A customer whom the read models know, with all that is in `more`."""
    name = stranger()
    first = CustomerOnboarded(name="李四", born=date(1980, 5, 1), source="branch")
    risk, agreed = (
        RiskProfileAssessed(grade="C3", valid_until=date(2199, 1, 1), source="app"),
        ConsentGranted(purpose="financial-marketing", source="app"),
    )
    reached: list[Interaction] = [
        ContactStated(medium="phone", value="13800138000", source="branch"),
        ContactStated(medium="email", value="li@example.com", source="branch"),
    ]
    told = (first, risk, agreed, *reached, *more)
    post(client, *(said(f"customer:{name}", data) for data in told))
    folded(client, name, len(told))
    return name


def folded(client: httpx.Client, name: str, events: int) -> None:
    """Wait until the read models have these events of a customer."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        answer = client.get(f"/v1/customers/{name}/history")
        if answer.status_code == 200 and len(answer.json()["events"]) >= events:
            time.sleep(0.3)
            return
        time.sleep(0.05)
    raise AssertionError("not folded in time")


def test_decisions_are_made_again_and_models_rebuilt_alike_after_kills(
    running: Running, client: httpx.Client
) -> None:
    """Asked and answered while agents, lookups and intake are killed.

    Every decision comes out the same, every model has its digest.
    """
    chance = random.Random(1)
    customers = [f"{100000 + number}" for number in range(BANK.customers)]
    for number in range(ASKED):
        if number in KILLS:
            running.kill(KILLS[number])
        decided = ask(
            client,
            chance.choice(customers),
            channel=chance.choice(["app", "branch", "web", "sms"]),
            limit=chance.randrange(1, 4),
        )
        respond(client, decided, chance)
    running.settle()
    again = running.report("replay", "verify-decisions")
    live = running.must_agree()

    assert (again["again"], again["different"]) == (again["recorded"], 0), again
    assert again["recorded"] > 5 * ASKED // 6
    assert live["model@4"] != "0" * 64


def test_the_models_are_told_as_the_command_tells_them(
    client: httpx.Client, running: Running
) -> None:
    """How good each was of late, over HTTP, and what came of what it said."""
    listed = {
        name: said
        for name, said in running.report("models", "list")["models"].items()
        if said["accepted"]
    }
    time.sleep(STALE)
    told = {each["model"]: each for each in client.get("/v1/models").json()["models"]}

    assert listed
    assert [name for name in listed if name in told] == [*listed]
    for name, said in listed.items():
        found = told[name]["quality"]
        assert found == {**said, "last": said["last"][:10]}
        assert sum(each["answers"] for each in told[name]["calibration"]) <= found["examples"]


def test_two_channels_that_ask_at_once_never_exceed_a_cap(client: httpx.Client) -> None:
    """Eight ask for an e-mail at the same moment.

    One of them may send it, and nobody may send another one after.
    """
    for _ in range(10):
        name = newcomer(client)
        with ThreadPoolExecutor(ASKING) as pool:
            answers = list(pool.map(lambda _: ask(client, name, channel="email"), range(ASKING)))  # noqa: B023 - done before the next
        sent = [each for each in answers if each["offer"]]
        refused = {
            drop["reason"]
            for each in answers
            if not each["offer"]
            for drop in each["dropped"]
            if drop["stage"] == "contact"
        }

        assert len(sent) == 1
        assert refused == {"contacted often enough: at most 1 in 7 days on email, of a customer"}
        post(
            client,
            said(
                f"customer:{name}",
                OfferPresented(
                    decision=sent[0]["decision"], offer=sent[0]["offer"], channel="email"
                ),
            ),
        )
        assert ask(client, name, channel="email")["offer"] is None
        assert ask(client, name, channel="sms")["offer"] is not None


def test_a_household_is_contacted_only_so_often_whoever_of_it_is_asked_for(
    client: httpx.Client, running: Running
) -> None:
    """Four of a week for the household, by e-mail, SMS or call.

    The fifth member gets none, even when all ask at once.
    """
    household = f"household:{uuid4().hex[:8]}"
    members = [
        newcomer(client, HouseholdJoined(household=household, role="member")) for _ in range(6)
    ]
    with ThreadPoolExecutor(len(members)) as pool:
        answers = list(pool.map(lambda name: ask(client, name, channel="sms"), members))

    assert Counter(each["offer"] is not None for each in answers) == {True: 4, False: 2}
    for each in answers:
        if each["offer"]:
            post(
                client,
                said(
                    f"customer:{each['customer']}",
                    OfferPresented(decision=each["decision"], offer=each["offer"], channel="sms"),
                ),
            )
    running.settle()
    late = newcomer(client, HouseholdJoined(household=household, role="member"))
    drops = {
        drop["reason"]
        for drop in ask(client, late, channel="email")["dropped"]
        if drop["stage"] == "contact"
    }
    assert drops == {
        "contacted often enough: at most 4 in 7 days on email, sms, call, of a household"
    }


def test_a_customer_who_refuses_to_be_profiled_gets_offers_by_value(
    client: httpx.Client, running: Running
) -> None:
    """PIPL article 24.

    The same funnel, nothing known of the customer ranks, and nothing known of them is written down.
    """
    name = newcomer(client, ConsentWithdrawn(purpose="profiling", source="app"))
    answer = ask(client, name)
    running.settle()
    explained = client.get(f"/v1/decisions/{answer['decision']}/explanation").json()

    assert answer["by_value"] == "no consent to profiling"
    assert [each["value"] for each in answer["candidates"]] == sorted(
        (each["value"] for each in answer["candidates"]), reverse=True
    )
    assert explained["equal"]
    assert explained["recorded"]["features"] == {}
    assert all("客户未同意个性化分析" in each["unasked"]["zh"] for each in explained["because"])
    assert {(each["score"], len(each["features"])) for each in explained["because"]} == {(None, 0)}
    assert explained["in_full"]["dropped"] == answer["dropped"]
    assert [each["offer"] for each in explained["in_full"]["candidates"]] == [
        each["offer"] for each in answer["candidates"]
    ]
    assert 0 < explained["in_full"]["probability"] <= 1
    assert (
        ask(client, newcomer(client), personalised=False)["by_value"]
        == "asked for without personalisation"
    )


def test_whoever_may_not_see_features_is_told_the_order_alone(
    client: httpx.Client, running: Running
) -> None:
    """Neither values nor the categories that stand in their names."""
    answer = ask(client, newcomer(client))
    running.settle()
    asked = f"/v1/decisions/{answer['decision']}/explanation"
    seen = client.get(asked).json()
    with running.calls("supervisor") as supervisor:
        masked = supervisor.get(asked).json()

    assert "channel=app" in seen["recorded"]["features"]
    assert "channel=***" in masked["recorded"]["features"]
    assert set(masked["recorded"]["features"].values()) == {"***"}
    assert [each["offer"] for each in masked["because"]] == [
        each["offer"] for each in seen["because"]
    ]


def test_a_broken_model_takes_no_lookup_down(client: httpx.Client, running: Running) -> None:
    """Garbage where a model was: the answer says so and ranks by value.

    The decision can be made again all the same.
    """
    name = newcomer(client)
    redis = Redis.from_url(running.settings.redis_url)
    stream = "model:home-insurance"
    key = f"tierfold:{{{shard_of(stream, running.settings.shards)}}}:models@4:model@4:{stream}"
    kept = redis.get(key)
    redis.set(key, b'9 {"examples": "many"}')
    deadline = time.monotonic() + 20
    while (answer := ask(client, name))["by_value"] is None:
        assert time.monotonic() < deadline, "nobody noticed"
        time.sleep(0.2)
    redis.set(key, kept) if kept else redis.delete(key)
    running.settle()
    explained = client.get(f"/v1/decisions/{answer['decision']}/explanation").json()

    assert answer["by_value"] == "a model cannot be read"
    assert answer["offer"] is not None
    assert explained["equal"], explained["differs"]
    assert "home-insurance" in explained["recorded"]["broken"]


def test_an_unknown_decision_and_an_unknown_channel_are_answered_clearly(
    client: httpx.Client, running: Running
) -> None:
    """404 and 422 with a sentence; the command says what is wrong."""
    assert (
        client.get("/v1/decisions/nothing/explanation").json()["detail"]
        == "no decision nothing is recorded"
    )
    assert (
        client.get("/v1/customers/100000/next-best-offer", params={"channel": "fax"}).status_code
        == 422
    )
    assert (
        b"no decision nothing is recorded"
        in running.run("replay", "explain-decision", "nothing").stderr
    )


def test_the_journal_has_the_catalogue_that_decisions_name(
    client: httpx.Client, running: Running
) -> None:
    """Once, however often the lookups are started."""
    from replay.history.redecide import catalogues

    running.kill("web")
    label = ask(client, newcomer(client))["catalogue"]
    assert set(catalogues(journal_of(running.settings))) == {label}


@pytest.mark.parametrize(
    ("whose", "offer", "field"),
    [
        ("nobody's", "savings-plan", "data.decision"),
        ("another's", "savings-plan", "data.decision"),
        ("own", "no-such-offer", "data.offer"),
    ],
)
def test_an_answer_is_held_to_its_decision(
    running: Running, client: httpx.Client, whose: str, offer: str, field: str
) -> None:
    """To a decision that there is, of this customer, and to an offer that it showed; over Kafka
    as over HTTP.
    """
    own, other = newcomer(client), newcomer(client)
    decisions = {
        "nobody's": uuid4().hex,
        "another's": ask(client, other)["decision"],
        "own": ask(client, own)["decision"],
    }
    event = said(
        f"customer:{own}",
        OfferDeclined(decision=decisions[whose], offer=offer, channel="app"),
    )
    answer = client.post(
        "/v1/interactions", content=write_batch([event]), headers={"content-type": BATCH}
    )
    before = running.counts().quarantined
    producer = Broker(running.settings.broker).producer()
    home = shard_of(f"customer:{own}", running.settings.shards)
    producer.send(INTERACTIONS, value=event, partition=home).get(timeout=10)
    producer.close()
    wait_until(lambda: running.counts().quarantined > before)
    entries = running.report("quarantine", "list", "--limit", "1000")["entries"]

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert max(entries, key=lambda each: each["quarantined_at"])["field"] == field
