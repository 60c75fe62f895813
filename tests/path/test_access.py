"""Who is let in to what.

Every route of the OpenAPI document, for every role, with a customer of theirs, another's, and one
nobody knows.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from domain.access.roles import ROLES
from domain.accounts.events import AccountOpened
from domain.bank.events import DayClosed
from domain.customers.events import ContactStated, CreditRated, CustomerOnboarded, ProfileFactStated
from domain.envelope import Proposed
from domain.event import BANK, Interaction, Role
from domain.event_types import EVENTS
from domain.households.events import HouseholdJoined
from domain.managers.events import ManagerAssigned, ManagerVisited
from domain.tiering.events import TierOverridden
from streams.broker.kafka import INTERACTIONS, Broker
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import BATCH, STRUCTURED, write, write_batch
from tests.conftest import NOON, TODAY, Running, proposed, settings_in
from tests.sizes import sized

OWN, OTHERS, UNKNOWN = "own", "others", "unknown"
MANAGERS = {OWN: "li", OTHERS: "zhao"}
NAME = "欧阳小明"
OFTEN = 600
PHONE = "13800138000"
BORN, REGION, RATING, ACCOUNT = "1980-05-17", "黑龙江省", "AA-minus", "6222020000001234"
OPEN = {"/healthz", "/readyz"}
EVERYBODYS: dict[str, Any] = {
    "channel": {"customer": OWN},
    "manager": {"who": "li", "sources": ("test",)},
}
"""What ties a role to its own customers; all others have to do with everybody."""

JOB = "0" * 32
MAY: dict[str, dict[Role, str]] = {
    "GET /openapi.json": dict.fromkeys(ROLES, "y"),
    "GET /metrics": {"operator": "y", "monitor": "y"},
    "GET /v1/versions": dict.fromkeys(
        ("tier-owner", "supervisor", "auditor", "privacy-officer", "operator"), "y"
    ),
    "GET /v1/restatements": dict.fromkeys(("tier-owner", "supervisor", "auditor", "operator"), "y"),
    "GET /v1/models": dict.fromkeys(("tier-owner", "supervisor", "auditor"), "y"),
    "POST /v1/what-if": {"tier-owner": "y"},
    "GET /v1/policies": dict.fromkeys(
        ("tier-owner", "supervisor", "auditor", "privacy-officer", "operator"), "y"
    ),
    "GET /v1/operations": dict.fromkeys(("operator", "auditor"), "y"),
    "GET /v1/alerts": dict.fromkeys(("operator", "auditor"), "y"),
    "GET /v1/quarantine": {"operator": "y"},
    **dict.fromkeys(
        (
            *("GET /v1/jobs", "GET /v1/jobs/{job}", "GET /v1/jobs/{job}/file"),
            "DELETE /v1/jobs/{job}",
        ),
        dict.fromkeys(("tier-owner", "privacy-officer", "operator", "auditor", "supervisor"), "y"),
    ),
    "PUT /v1/jobs/{job}": {"tier-owner": "y"},
    "POST /v1/interactions": {"core": "all", "channel": "own", "manager": "own"},
    "GET /v1/interactions": dict.fromkeys(
        ("operator", "core", "channel", "manager", "supervisor", "modeller"), "y"
    ),
    "GET /v1/customers/{customer}": {
        "manager": "own",
        "supervisor": "all",
        "auditor": "all",
        "privacy-officer": "all",
    },
    "GET /v1/customers/{customer}/tier": {
        "channel": "own",
        "manager": "own",
        "supervisor": "all",
        "auditor": "all",
        "privacy-officer": "all",
    },
    "GET /v1/customers/{customer}/ledger": {
        "manager": "own",
        "supervisor": "all",
        "auditor": "all",
        "privacy-officer": "all",
    },
    "GET /v1/customers/{customer}/history": {"auditor": "all", "privacy-officer": "all"},
    "GET /v1/customers/{customer}/looks": {"auditor": "all", "privacy-officer": "all"},
    "GET /v1/customers/{customer}/next-best-offer": {"channel": "own", "manager": "own"},
    "GET /v1/customers/{customer}/foresight": {"manager": "own", "supervisor": "all"},
    "GET /v1/customers/{customer}/explain": {
        "manager": "own",
        "supervisor": "all",
        "auditor": "all",
        "privacy-officer": "all",
    },
    "GET /v1/customers/{customer}/as-of": {
        "supervisor": "all",
        "auditor": "all",
        "privacy-officer": "all",
    },
    "GET /v1/customers/{customer}/differences": {
        "supervisor": "all",
        "auditor": "all",
        "privacy-officer": "all",
    },
    "GET /v1/customers/{customer}/timeline": {
        "manager": "own",
        "supervisor": "all",
        "auditor": "all",
        "privacy-officer": "all",
    },
    "GET /v1/managers/{manager}/customers": {"manager": "own", "supervisor": "all"},
    "GET /v1/households/{household}": {"supervisor": "all", "auditor": "all"},
    "GET /v1/households/{household}/as-of": {"supervisor": "all", "auditor": "all"},
    "GET /v1/companies/{company}": {"supervisor": "all", "auditor": "all"},
    "GET /v1/companies/{company}/as-of": {"supervisor": "all", "auditor": "all"},
    "GET /v1/decisions/{decision}/explanation": {
        "channel": "own",
        "manager": "own",
        "supervisor": "all",
        "auditor": "all",
        "privacy-officer": "all",
    },
}
"""What is meant, written down once more by hand.

`y` has to do with nobody, `own` with own customers, `all` with all of them.
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack with two customers, each with a manager of their own and a household."""
    with Running(
        settings_in(tmp_path_factory.mktemp("access"), rate_of_people=f"{OFTEN}/hour")
    ) as made:
        events = []
        for customer, manager in MANAGERS.items():
            said: list[Interaction] = [
                CustomerOnboarded(
                    name=NAME, born=date.fromisoformat(BORN), region=REGION, source="branch"
                ),
                CreditRated(rating=RATING, agency="bureau", source="credit-agency"),
                AccountOpened(
                    account=ACCOUNT, product="current", asset_class="deposit", currency="CNY"
                ),
                ContactStated(medium="phone", value=PHONE, source="app"),
                ManagerAssigned(manager=f"manager:{manager}"),
                HouseholdJoined(household=f"household:{customer}", role="member"),
            ]
            events += [
                write(proposed(data, f"{customer}{number}", f"customer:{customer}"))
                for number, data in enumerate(said)
            ]
        events.append(
            write(proposed(DayClosed(date=date(2026, 3, 31)), "march", BANK, date(2026, 3, 31)))
        )
        assert (
            made.client.post(
                "/v1/interactions", content=write_batch(events), headers={"content-type": BATCH}
            ).status_code
            == 201
        )
        made.settle()
        yield made


@pytest.fixture(scope="module")
def decisions(running: Running) -> dict[str, str]:
    """A decision of each of them, by whose it is."""
    made = {
        whose: running.client.get(f"/v1/customers/{whose}/next-best-offer").json()["decision"]
        for whose in (OWN, OTHERS)
    }
    running.settle()
    return {**made, UNKNOWN: "unknown"}


@pytest.fixture(scope="module")
def routes(running: Running) -> list[tuple[str, str]]:
    """Every method and path of the OpenAPI document."""
    paths = running.client.get("/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_no_route_is_without_a_line_here(routes: list[tuple[str, str]]) -> None:
    """Who adds a route says here who may ask it."""
    assert {f"{method} {path}" for method, path in routes} == MAY.keys() | {
        f"GET {path}" for path in OPEN
    }


def asked(
    client: httpx.Client, method: str, path: str, whose: str, decisions: dict[str, str]
) -> httpx.Response:
    """A good question, about this customer if it is about any."""
    path = path.format(
        customer=whose,
        household=whose,
        company=whose,
        manager=MANAGERS.get(whose, whose),
        decision=decisions[whose],
        job=JOB,
    )
    if path.endswith(JOB):
        body = {"kind": "check", "of": "tier", "policy": ""} if method == "PUT" else None
        return client.request(method, path, json=body)
    if path == "/v1/interactions" and method == "GET":
        named = {"source": "test", "id": "1", "subject": f"customer:{whose}"}
        return client.get(path, params=named)
    if path == "/v1/interactions":
        event = write(
            proposed(
                EVENTS["feedback-given"](text="x", channel="app"),
                f"{id(client)}{whose}",
                f"customer:{whose}",
            )
        )
        return client.post(path, content=event, headers={"content-type": STRUCTURED})
    return client.post(path, json=[]) if method == "POST" else client.get(path)


def test_every_route_for_every_role_and_customer(
    running: Running, routes: list[tuple[str, str]], decisions: dict[str, str]
) -> None:
    """Who may is answered, or told that nothing is there.

    Who may not gets a 403 problem, whether or not there is such a customer.
    """
    wrong = []
    for role in ROLES:
        with running.calls(role, **{"customer": None, **EVERYBODYS.get(role, {})}) as client:
            for (method, path), whose in product(routes, (OWN, OTHERS, UNKNOWN)):
                if path in OPEN:
                    continue
                may = MAY[f"{method} {path}"].get(role)
                allowed = may in {"y", "all"} or (may == "own" and whose == OWN)
                if path.startswith("/v1/decisions") and whose == UNKNOWN and may:
                    allowed = True  # nobody's: told that there is none
                answer = asked(client, method, path, whose, decisions)
                fine = (
                    answer.status_code in {200, 201, 404, 409, 422}
                    if allowed
                    else answer.status_code == 403
                )
                if not fine or (
                    answer.status_code == 403
                    and answer.headers["content-type"] != "application/problem+json"
                ):
                    wrong.append(
                        f"{role} {method} {path} {whose}: {answer.status_code} {answer.text[:80]}"
                    )

    assert wrong == []


def test_nobody_is_let_in_without_a_good_token(
    running: Running, routes: list[tuple[str, str]], decisions: dict[str, str]
) -> None:
    """No token, one of somebody else's, one that is over, one without a signature.

    401, on every route but health.
    """
    with running.calls("auditor") as good:
        token = good.headers["authorization"].removeprefix("Bearer ")
    said = jwt.decode(token, options={"verify_signature": False})
    kid = {"kid": jwt.get_unverified_header(token)["kid"]}
    forged = [
        *(
            "",
            "Basic YTpi",
            "Bearer",
            "Bearer x",
            f"Bearer {token[:-4]}AAAA",
            f"Bearer {'x' * 9000}",
        ),
        f"Bearer {jwt.encode(said, None, 'none', kid)}",
        f"Bearer {jwt.encode(said, 'k' * 64, 'HS256', kid)}",
    ]
    with httpx.Client(base_url=running.settings.address) as client:
        for header in forged:
            client.headers["authorization"] = header
            for method, path in routes:
                answer = asked(client, method, path, OWN, decisions)
                assert answer.status_code == (200 if path in OPEN else 401), (header[:20], path)
                assert path in OPEN or answer.headers["www-authenticate"].startswith("Bearer")


def test_who_sees_most_sees_names_and_others_their_beginnings(
    running: Running, routes: list[tuple[str, str]], decisions: dict[str, str]
) -> None:
    """On every route: an auditor sees what is planted as it is.

    A manager, a supervisor and a channel nowhere.
    """
    planted = {NAME, PHONE, BORN, REGION, RATING, ACCOUNT}
    shown: dict[Role, str] = {}
    for role in ROLES:
        with running.calls(role, who="li", customer=OWN) as client:
            answers = [
                asked(client, method, path, OWN, decisions)
                for method, path in routes
                if method == "GET" and path != "/openapi.json"
            ]
            shown[role] = "".join(answer.text for answer in answers if answer.status_code == 200)

    assert all(each in shown["auditor"] for each in planted)
    assert {
        role: [each for each in planted if each in shown[role]]
        for role in ROLES
        if role not in {"auditor", "privacy-officer"}
    } == {role: [] for role in ROLES if role not in {"auditor", "privacy-officer"}}
    for seen in ("欧***", "138****8000", "1980-**-**"):
        assert seen in shown["manager"]
        assert seen in shown["supervisor"]


def test_nobody_takes_the_names_of_what_tierfold_says_itself(running: Running) -> None:
    """A channel that knows a decision's number cannot put something else in the
    journal under it.
    """
    event = Proposed(
        "tierfold/decisions",
        "0" * 32,
        f"customer:{OWN}",
        NOON,
        TODAY,
        EVENTS["feedback-given"](text="x", channel="app"),
    )
    for role in ROLES:
        with running.calls(role, customer=OWN) as client:
            assert (
                client.post(
                    "/v1/interactions", content=write(event), headers={"content-type": STRUCTURED}
                ).status_code
                == 403
            )


@pytest.mark.parametrize(
    ("role", "data", "allowed"),
    [
        ("channel", ProfileFactStated(fact="income", value="1", source="app"), False),
        ("channel", EVENTS["offer-accepted"](decision="d", offer="o", channel="app"), True),
        ("core", TierOverridden(tier="gold", approver="x", reason="x", until=TODAY), False),
        (
            "supervisor",
            TierOverridden(tier="gold", approver="somebody", reason="x", until=TODAY),
            False,
        ),
        (
            "supervisor",
            TierOverridden(tier="gold", approver="li", reason="x", until=TODAY),
            True,
        ),
        ("manager", ManagerVisited(manager="manager:zhao", purpose="x"), False),
        ("manager", ManagerVisited(manager="manager:li", purpose="x"), True),
    ],
)
def test_everybody_says_only_what_is_theirs_to_say(
    running: Running, role: Role, data: Interaction, allowed: bool
) -> None:
    """The type of event, and in whose name it is said."""
    event = write(
        proposed(
            data,
            f"{role}-{data!r}"[:100].replace(" ", "").translate(str.maketrans("'()=,", "-----")),
            f"customer:{OWN}",
        )
    )
    with running.calls(role, who="li", sources=("test",)) as client:
        answer = client.post(
            "/v1/interactions", content=event, headers={"content-type": STRUCTURED}
        )

    assert (answer.status_code in {200, 201}) == allowed, answer.text
    assert allowed or answer.status_code == 403


def test_a_tier_that_no_policy_has_cannot_be_set_by_hand(running: Running) -> None:
    """The answer says which tiers there are."""
    said = TierOverridden(tier="golden", approver="li", reason="x", until=TODAY)
    with running.calls("supervisor", who="li", sources=("test",)) as client:
        answer = client.post(
            "/v1/interactions",
            content=write(proposed(said, "golden", f"customer:{OWN}")),
            headers={"content-type": STRUCTURED},
        )

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, "data.tier")
    assert "mass, affluent, gold" in error["detail"]


@pytest.mark.parametrize(
    ("role", "sources", "source", "allowed"),
    [
        ("channel", None, "test", True),
        ("channel", None, "test/ios", True),
        ("channel", None, "tester", False),
        ("channel", None, "synth", False),
        ("channel", ("app", "kiosk"), "kiosk/7", True),
        ("channel", ("app", "kiosk"), "test", False),
        ("core", None, "synth", True),
        ("core", ("deposits",), "deposits", True),
        ("core", ("deposits",), "synth", False),
    ],
)
def test_a_source_belongs_to_its_caller(
    running: Running, role: Role, sources: tuple[str, ...] | None, source: str, allowed: bool
) -> None:
    """Nobody takes the names of another's events before they are said."""
    said = EVENTS["offer-accepted"](decision="d", offer="o", channel="app")
    if role == "core":
        said = EVENTS["feedback-given"](text="x", channel="app")
    name = f"{role}-{sources}-{source}"
    event = write(proposed(said, name, f"customer:{OWN}", source=source))
    with running.calls(role, sources=sources) as client:
        answer = client.post(
            "/v1/interactions", content=event, headers={"content-type": STRUCTURED}
        )

    assert (answer.status_code in {200, 201}) == allowed, answer.text


def test_what_must_never_come_in_is_refused_and_not_kept(running: Running) -> None:
    """A password as a fact: a 422 over HTTP; over Kafka it counts as refused, and is nowhere."""
    event = write(
        proposed(
            ProfileFactStated(fact="login-password", value="open-sesame", source="app"),
            "secret",
            f"customer:{OWN}",
        )
    )
    running.settle()
    before = running.counts()
    posted = running.client.post(
        "/v1/interactions", content=event, headers={"content-type": STRUCTURED}
    )
    broken = event.replace(b'"fact"', b'"password"')
    producer = Broker(running.settings.broker).producer()
    for value in (event, broken):
        producer.send(
            INTERACTIONS,
            value=value,
            partition=shard_of(f"customer:{OWN}", running.settings.shards),
        )
    producer.close()
    running.arrive(before.arrived + 2)
    counts = running.counts()

    assert posted.status_code == 422
    assert (counts.refused - before.refused, counts.quarantined - before.quarantined) == (2, 0)
    assert counts.balanced()
    files = [file for file in running.settings.data_dir.rglob("*") if file.is_file()]
    assert [file for file in files if b"open-sesame" in file.read_bytes()] == []


def test_nobody_says_for_the_bank_who_looked_at_what(running: Running) -> None:
    """The access journal, the register of the forgotten and the bank's own decisions do not come in
    by this door.
    """
    looked = EVENTS["data-looked-up"](
        who="x", role="auditor", purpose="audit", what="history", about="customer:1"
    )
    event = write(Proposed("x", "x", "access:customer:1", NOON, TODAY, looked))

    for role in ROLES:
        with running.calls(role) as client:
            assert (
                client.post(
                    "/v1/interactions", content=event, headers={"content-type": STRUCTURED}
                ).status_code
                == 403
            )


def test_a_channel_says_for_what_it_asks(running: Running) -> None:
    """Without a purpose: 400; with one that is not a channel's: 403."""
    with running.calls("channel") as client:
        assert (
            httpx.get(
                f"{client.base_url}/v1/customers/{OWN}/tier",
                headers={"authorization": client.headers["authorization"]},
            ).status_code
            == 400
        )
        assert (
            client.get(
                f"/v1/customers/{OWN}/tier", headers={"tierfold-purpose": "audit"}
            ).status_code
            == 403
        )
        assert (
            client.get(
                f"/v1/customers/{OWN}/tier", headers={"tierfold-purpose": "service"}
            ).status_code
            == 200
        )


def test_every_look_is_in_the_access_journal_and_no_refused_one(running: Running) -> None:
    """Who, as what, for what, which question, when; members of a household too.

    Under the proofs, and not in the customer's own history.
    """
    begun = datetime.now(UTC)
    with running.calls("auditor", who="wang.fang") as client:
        before = client.get(f"/v1/customers/{OTHERS}/history").json()["events"][-1]["version"]
        client.get(f"/v1/customers/{OTHERS}/as-of")
        assert client.get(f"/v1/households/{OTHERS}").status_code == 200
    with running.calls("manager", who="li") as client:
        assert client.get(f"/v1/customers/{OTHERS}").status_code == 403
    with running.calls("channel", who="app", customer=OTHERS) as client:
        client.get(f"/v1/customers/{OTHERS}/tier", headers={"tierfold-purpose": "marketing"})
        decided = client.get(f"/v1/customers/{OTHERS}/next-best-offer").json()["decision"]
    running.settle()
    looks = [
        look
        for look in running.report("audit", "access", OTHERS)["looks"]
        if datetime.fromisoformat(look["at"]) >= begun
    ]

    assert [
        tuple(look[name] for name in ("who", "role", "purpose", "what", "about")) for look in looks
    ] == [
        ("wang.fang", "auditor", "audit", "history", f"customer:{OTHERS}"),
        ("wang.fang", "auditor", "audit", "as-of", f"customer:{OTHERS}"),
        ("wang.fang", "auditor", "audit", "household", f"customer:{OTHERS}"),
        ("app", "channel", "marketing", "tier", f"customer:{OTHERS}"),
        ("app", "channel", "service", "next-best-offer", f"customer:{OTHERS}"),
    ]
    last = running.client.get(f"/v1/customers/{OTHERS}/history").json()["events"][-1]
    assert (last["version"], last["data"]["decision"]) == (before + 1, decided), (
        "a decision is a look, and nothing else lengthens the history"
    )
    assert running.client.get(f"/v1/decisions/{decided}/explanation").json()["equal"]
    assert running.report("audit", "verify-journal")["findings"] == []
    assert b"wang.fang" in running.run("audit", "access", OTHERS).stdout


def test_a_person_who_asks_too_often_is_told_to_wait(running: Running) -> None:
    """429, with the seconds to wait; others are answered."""
    with (
        running.calls("auditor", who="eager") as eager,
        running.calls("auditor", who="calm") as calm,
    ):
        asked = (eager.get("/v1/versions") for _ in range(2 * OFTEN + 1))  # an hour may end
        refused = next(answer for answer in asked if answer.status_code != 200)

        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 0
        assert calm.get("/v1/versions").status_code == 200


def test_a_body_that_is_too_large_is_refused(running: Running) -> None:
    """413, before all of it is read.

    And every answer says that it is not to be cached, framed or guessed at.
    """
    answers = [
        running.client.post(path, content=b"[" + b" " * 5_000_000)
        for path in ("/v1/interactions", "/v1/what-if")
    ]

    assert [answer.status_code for answer in answers] == [413, 413]
    for answer in (*answers, running.client.get("/healthz")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_refusals_are_logged_without_whom_they_were_about(
    running: Running, decisions: dict[str, str]
) -> None:
    """Who, what and the status, wherever it was refused: enough to see that somebody
    tries doors.
    """
    event = write(
        proposed(
            TierOverridden(tier="gold", approver="x", reason="x", until=TODAY),
            "curious",
            f"customer:{OTHERS}",
        )
    )
    with running.calls("manager", who="curious") as client:
        client.get(f"/v1/customers/{OTHERS}")
        client.get(f"/v1/decisions/{decisions[OTHERS]}/explanation")
        client.post("/v1/interactions", content=event, headers={"content-type": STRUCTURED})
    httpx.get(f"{running.settings.address}/v1/versions", headers={"authorization": "Bearer forged"})
    logged = [
        json.loads(line)
        for line in (running.settings.data_dir / "logs" / "web.log").read_text().splitlines()
        if "access_denied" in line
    ]

    assert [(line["what"], line["status"]) for line in logged if line["who"] == "curious"] == [
        ("picture", 403),
        ("decision", 403),
        ("interactions", 403),
    ]
    assert (logged[-1]["who"], logged[-1]["what"], logged[-1]["status"]) == (None, "versions", 401)
    assert all(OTHERS not in json.dumps(line) for line in logged)


def test_schemathesis_finds_nothing(
    running: Running, tmp_path: Path, decisions: dict[str, str]
) -> None:
    """Questions made up from the OpenAPI document, good and bad.

    Every answer is one that it describes, and none is a fault of ours.

    Of one check it has nothing to say: what JSON Schema allows and a rule forbids (a tier nobody
    can reach) is a 422, as it should be.
    """
    (tmp_path / "openapi.json").write_text(running.client.get("/openapi.json").text)
    token = running.client.headers["authorization"].removeprefix("Bearer ")
    (tmp_path / "schemathesis.toml").write_text(f"""
seed = 1
[generation]
max-examples = {sized(2, 8)}
[phases.coverage]
enabled = {sized("false", "true")}
[checks.positive_data_acceptance]
enabled = false
[auth.openapi.bearer]
bearer = "{token}"
[parameters]
"path.customer" = "{OWN}"
"path.household" = "{OWN}"
"path.decision" = "{decisions[OWN]}"
""")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--no-color",
        "run",
        "openapi.json",
        "--url",
        running.settings.address,
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=900)

    assert done.returncode == 0, done.stdout.decode()[-6000:]


def test_who_is_not_let_in_asks_and_is_logged_only_so_often(running: Running) -> None:
    """Of seven hundred forged tokens in a minute the last hundred are told to wait; few are logged,
    all are counted, and a good token from the same address is let in.
    """
    forged = {"authorization": "Bearer forged"}
    log = running.settings.data_dir / "logs" / "web.log"

    def denied() -> int:
        return log.read_text().count('"access_denied"')

    def counted() -> float:
        said = running.client.get("/metrics").text
        return sum(map(float, re.findall(r"tierfold_refused_requests_total\{.*\} (\S+)", said)))

    before, logged = counted(), denied()
    with httpx.Client(base_url=running.settings.address) as client:
        answers = [client.get("/v1/versions", headers=forged) for _ in range(1_500)]

    assert {answer.status_code for answer in answers} == {401, 429}
    waits = [answer for answer in answers if answer.status_code == 429]  # a minute may end
    assert {answer.headers["retry-after"] for answer in waits} == {"60"}
    assert running.client.get("/v1/versions").status_code == 200
    assert counted() - before == 1_500
    assert denied() - logged <= 2 * 60
