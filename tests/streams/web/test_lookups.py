"""What channels, core systems and operators see over HTTP, from a running stack."""

import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.accounts.events import AccountOpened, TransactionPosted
from domain.customers.events import (
    ConsentGranted,
    ConsentWithdrawn,
    CustomerOnboarded,
    RiskProfileAssessed,
)
from domain.event import Interaction
from domain.offers.events import OfferAccepted
from streams.ingest.cloudevents import BATCH, STRUCTURED, write, write_batch
from tests.conftest import Running, proposed, stranger


@pytest.fixture(scope="module")
def client(stack: Running) -> httpx.Client:
    """A client of the shared stack."""
    return stack.calls()


def post(client: httpx.Client, *events: bytes, **headers: str) -> httpx.Response:
    """Post one event, or a batch."""
    if len(events) == 1:
        return client.post(
            "/v1/interactions", content=events[0], headers={"content-type": STRUCTURED, **headers}
        )
    return client.post(
        "/v1/interactions", content=write_batch(events), headers={"content-type": BATCH, **headers}
    )


def event(customer: str, data: Interaction) -> bytes:
    """An event of a customer, under a new id."""
    return write(proposed(data, uuid4().hex, f"customer:{customer}"))


def new_customer(client: httpx.Client, *more: Interaction) -> str:
    """A customer whom the read models know."""
    from datetime import date

    name = stranger()
    first = CustomerOnboarded(name="张三", born=date(1980, 5, 1), source="branch")
    risk = RiskProfileAssessed(grade="C3", valid_until=date(2199, 1, 1), source="app")
    agreed = ConsentGranted(purpose="financial-marketing", source="app")
    assert (
        post(client, *(event(name, data) for data in (first, risk, agreed, *more))).status_code
        == 201
    )
    eventually(lambda: client.get(f"/v1/customers/{name}").status_code == 200)
    return name


def eventually(condition: Any) -> None:
    """Wait a while for something to become true."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.03)


def test_what_is_posted_is_in_the_journal_when_it_is_answered(
    client: httpx.Client, stack: Running
) -> None:
    """201, with the place; and the journal has it."""
    from deploy.wiring import journal_of

    raw = event(uuid4().hex[:8], CustomerOnboarded(source="web"))
    answer = post(client, raw)
    [receipt] = answer.json()
    [row] = journal_of(stack.settings)[receipt["shard"]].read(receipt["position"] - 1, 1)

    assert answer.status_code == 201
    assert (receipt["outcome"], receipt["version"]) == ("recorded", 1)
    assert row.event().id == json.loads(raw)["id"]


def test_a_resend_is_answered_as_already_recorded(client: httpx.Client) -> None:
    """200, at the same place."""
    raw = event(uuid4().hex[:8], CustomerOnboarded(source="web"))
    [first], [second] = post(client, raw).json(), (again := post(client, raw)).json()

    assert again.status_code == 200
    assert second == {**first, "outcome": "already"}


def test_the_same_id_with_other_content_is_a_conflict(client: httpx.Client) -> None:
    """409, as a problem."""
    raw = event(uuid4().hex[:8], CustomerOnboarded(source="web"))
    post(client, raw)
    answer = post(client, raw.replace(b'"web"', b'"app"'))

    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")


def test_who_prefers_not_to_wait_is_answered_at_once(client: httpx.Client) -> None:
    """`Prefer: respond-async` gives 202, and the event is recorded later."""
    name = uuid4().hex[:8]

    assert (
        post(
            client, event(name, CustomerOnboarded(source="web")), prefer="respond-async"
        ).status_code
        == 202
    )
    eventually(lambda: client.get(f"/v1/customers/{name}").status_code == 200)


def test_bad_input_is_a_problem_that_names_every_field(client: httpx.Client) -> None:
    """422; nothing of the batch is recorded."""
    name = uuid4().hex[:8]
    good = event(name, CustomerOnboarded(source="web"))
    answer = post(client, good, good.replace(b'"web"', b'"moon"'), b"{}")

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [(error["item"], error["field"]) for error in answer.json()["errors"]] == [
        (1, "data.source"),
        (2, "specversion"),
    ]
    assert client.get(f"/v1/customers/{name}").status_code == 404


def test_binary_mode_over_http(client: httpx.Client) -> None:
    """CloudEvents' HTTP binding: attributes as `ce-` headers."""
    whole = json.loads(event(uuid4().hex[:8], CustomerOnboarded(source="web")))
    headers = {
        f"ce-{name}": str(value) for name, value in whole.items() if name not in ("data", "cause")
    }
    answer = client.post(
        "/v1/interactions",
        content=json.dumps(whole["data"]),
        headers={"content-type": "application/json", **headers},
    )

    assert answer.status_code == 201


@pytest.mark.parametrize("path", ["", "/tier", "/ledger", "/history", "/next-best-offer"])
def test_an_unknown_customer_is_a_problem(client: httpx.Client, path: str) -> None:
    """404, as RFC 9457 says it."""
    answer = client.get(f"/v1/customers/nobody{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "nothing is recorded of customer nobody",
    }


@pytest.mark.parametrize(
    "path", ["/history?limit=0", "/history?after=x", "/next-best-offer?channel=pigeon", "%20"]
)
def test_a_bad_question_is_a_problem(client: httpx.Client, path: str) -> None:
    """422, with the field."""
    answer = client.get(f"/v1/customers/somebody{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"]


def test_the_whole_picture_of_a_customer(client: httpx.Client) -> None:
    """Identity with source, balances, standing."""
    name = new_customer(
        client,
        AccountOpened(account="a1", product="current-account", currency="CNY"),
        TransactionPosted(
            transaction="t0", account="a1", amount=123_45, currency="CNY", kind="cash"
        ),
        TransactionPosted(transaction="t1", account="a1", amount=-45, currency="CNY", kind="card"),
    )
    shown = client.get(f"/v1/customers/{name}").json()

    assert shown["profile"]["facts"]["name"]["value"] == "张三"
    assert shown["profile"]["facts"]["name"]["source"] == "branch"
    assert shown["balances"] == {
        "a1": {"balance": 123_00, "currency": "CNY", "asset_class": "deposit"}
    }
    assert shown["standing"]["tier"] == "mass"
    assert client.get(f"/v1/customers/{name}/tier").json()["policy"] == "bohai-retail@1"


def test_a_history_is_read_in_pages(client: httpx.Client) -> None:
    """In order, with the version to go on from."""
    name = new_customer(client)
    first = client.get(f"/v1/customers/{name}/history", params={"limit": 1}).json()
    second = client.get(f"/v1/customers/{name}/history", params={"after": first["next"]}).json()

    assert [each["type"] for each in [*first["events"], *second["events"]]] == [
        "customer-onboarded.v1",
        "risk-profile-assessed.v1",
        "consent-granted.v1",
    ]
    assert second["next"] is None


def test_an_offer_is_decided_recorded_and_learnt_from(client: httpx.Client, stack: Running) -> None:
    """Ranked by priority, a reason for every drop.

    The decision is an event that has them all, the answer an example.
    """
    name = new_customer(client)
    shown = client.get(f"/v1/customers/{name}/next-best-offer", params={"channel": "branch"}).json()
    priorities = [candidate["priority"] for candidate in shown["candidates"]]
    eventually(
        lambda: "offer-decided.v1" in str(client.get(f"/v1/customers/{name}/history").json())
    )
    [decided] = [
        each
        for each in client.get(f"/v1/customers/{name}/history").json()["events"]
        if each["type"] == "offer-decided.v1"
    ]

    assert shown["offer"] == shown["candidates"][0]["offer"]
    assert priorities == sorted(priorities, reverse=True)
    assert {drop["offer"]: drop["reason"] for drop in shown["dropped"]}[
        "equity-fund"
    ] == "customer grade C3 is below product grade R5"
    first, *others = shown["candidates"]
    [stored] = decided["data"]["candidates"]
    assert stored.items() <= first.items()
    assert decided["data"]["rivals"]["offer"] == [each["offer"] for each in others]
    assert decided["data"]["rivals"]["propensity"] == [each["propensity"] for each in others]
    assert {
        (offer, drops["stage"], drops["reason"])
        for drops in decided["data"]["drops"]
        for offer in drops["offers"]
    } == {tuple(drop.values()) for drop in shown["dropped"]}
    assert decided["data"]["decision"] == shown["decision"]
    _the_answer_is_learnt(client, stack, name, shown)


def _the_answer_is_learnt(
    client: httpx.Client, stack: Running, name: str, shown: dict[str, Any]
) -> None:
    before = shown["candidates"][0]["propensity"]
    post(
        client,
        event(
            name, OfferAccepted(decision=shown["decision"], offer=shown["offer"], channel="branch")
        ),
    )
    other = new_customer(client)

    def likelier() -> bool:
        found = client.get(f"/v1/customers/{other}/next-best-offer").json()["candidates"]
        return any(
            each["offer"] == shown["offer"] and each["propensity"] > before for each in found
        )

    eventually(likelier)
    stack.settle()
    assert stack.report("digest")["model@4"] == stack.report("digest", "--rebuild")["model@4"]


def test_a_withdrawn_consent_drops_every_offer(client: httpx.Client) -> None:
    """Who said no is offered nothing, and the reason is there."""
    name = new_customer(client, ConsentWithdrawn(purpose="marketing", source="app"))
    shown = client.get(f"/v1/customers/{name}/next-best-offer").json()

    assert (shown["offer"], shown["candidates"]) == (None, [])
    assert "no consent to marketing on app" in {drop["reason"] for drop in shown["dropped"]}


def test_health_readiness_metrics_and_documentation(client: httpx.Client) -> None:
    """Alive, ready, counted, described."""
    metrics = client.get("/metrics").text

    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").status_code == 200
    assert "tierfold_balanced 1.0" in metrics
    assert 'tierfold_interactions_total{outcome="recorded"}' in metrics
    assert 'tierfold_lag_events{group="standings@1/bohai-retail@1/' in metrics
    assert "/v1/customers/{customer}/next-best-offer" in client.get("/openapi.json").json()["paths"]
