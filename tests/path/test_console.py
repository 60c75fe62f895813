"""People see the bank in a browser: what the API answers them, and nothing else."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import product
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import httpx
import pytest

from deploy.console.links import make_link
from deploy.console.pages import API, PAGES
from deploy.console.words import LANGUAGES, Words
from deploy.keys import session_seed
from domain.access.roles import PEOPLE, Caller
from domain.accounts.events import AccountOpened, BalanceReported
from domain.customers.events import ConsentWithdrawn, CustomerOnboarded
from domain.event import Interaction, Role
from domain.feedback.events import FeedbackGiven
from domain.households.events import CompanyGroupJoined, HouseholdJoined
from domain.managers.events import ManagerAssigned
from streams.ingest.cloudevents import BATCH, STRUCTURED, write, write_batch
from streams.web.security.sessions import Sessions
from tests.conftest import Running, free_port, proposed, settings_in, wait_until

OWN, OTHERS, UNKNOWN = "own", "others", "unknown"
MANAGERS = {OWN: "li", OTHERS: "zhao"}
MOVING = ("/customers/{customer}/looks", "/operations", "/models")
"""Another moment, another answer: each look is one more in the next, the guard goes
round, and models learn.
"""
SCRIPT = "<script>alert(1)</script>"
ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack with a console and two customers; whoever sends their names sends a script."""
    settings = settings_in(
        tmp_path_factory.mktemp("console"),
        console_port=free_port(),
        rate_of_people="3000/minute",
    )
    with Running(settings) as made:
        events = []
        for customer, manager in MANAGERS.items():
            said: list[Interaction] = [
                CustomerOnboarded(name=SCRIPT, region=SCRIPT, source="branch"),
                AccountOpened(
                    account="a-1", product="current-account", asset_class="deposit", currency="CNY"
                ),
                BalanceReported(account="a-1", balance=123_456_789, currency="CNY"),
                ManagerAssigned(manager=f"manager:{manager}"),
                HouseholdJoined(household=f"household:{customer}", role="member"),
                CompanyGroupJoined(group=f"company:{customer}"),
                ConsentWithdrawn(purpose="marketing", channel="sms", source="app"),
                FeedbackGiven(text=SCRIPT, channel="app"),
            ]
            events += [
                write(proposed(data, f"{customer}{number}", f"customer:{customer}"))
                for number, data in enumerate(said)
            ]
        answer = made.client.post(
            "/v1/interactions", content=write_batch(events), headers={"content-type": BATCH}
        )
        assert answer.status_code == 201
        made.settle()
        wait_until(lambda: is_up(made))
        yield made


def is_up(running: Running) -> bool:
    """Whether the console answers."""
    try:
        return httpx.get(running.settings.console_address).status_code == 200
    except httpx.HTTPError:
        return False


def browser(running: Running) -> httpx.Client:
    """A browser without a session: it says where its forms come from."""
    return httpx.Client(
        base_url=running.settings.console_address, headers={"sec-fetch-site": "same-origin"}
    )


def link_for(running: Running, *roles: Role, who: str = "li") -> str:
    """A link for somebody."""
    settings = running.settings
    return make_link(settings.console_links, settings.console_address, Caller(who, roles))


@contextmanager
def logged_in(running: Running, *roles: Role, who: str = "li") -> Iterator[httpx.Client]:
    """A browser in which somebody has opened a link, and pressed its button."""
    with browser(running) as client:
        form = client.get(link_for(running, *roles, who=who)).text
        [code] = re.findall(r'name="code" value="([\w-]+)"', form)
        assert client.post("/login", content=f"code={code}").status_code == 303
        yield client


def at(path: str, whose: str, decision: str = UNKNOWN) -> str:
    """A page about somebody, if it is about anybody."""
    decided = decision if whose == OWN else whose
    job = "0" * 32
    manager = MANAGERS.get(whose, whose)
    return path.format(
        customer=whose,
        household=whose,
        company=whose,
        manager=manager,
        decision=decided,
        job=job,
    )


@pytest.fixture(scope="module")
def decision(running: Running) -> str:
    """A decision of one's own customer."""
    made = running.client.get(f"/v1/customers/{OWN}/next-best-offer").json()["decision"]
    running.settle()
    wait_until(lambda: running.client.get(f"/v1/decisions/{made}/explanation").status_code == 200)
    return str(made)


def test_every_page_for_every_role_and_customer_answers_as_the_api_does(
    running: Running, decision: str
) -> None:
    """The same status; and where it is answered, the JSON that the page names is the API's."""
    wrong = []
    for role in PEOPLE:
        with logged_in(running, role) as reader, running.calls(role, who="li") as caller:
            for path, whose in product(PAGES, (OWN, OTHERS, UNKNOWN)):
                asked = at(path, whose, decision)
                page, answer = reader.get(asked), caller.get(API + asked)
                if page.status_code != answer.status_code:
                    wrong.append((role, path, whose, page.status_code, answer.status_code))
                elif page.status_code == 200 and path not in MOVING:
                    [json] = re.findall(r'type="application/json" href="(.*)">\n', page.text)
                    if reader.get(json).content != answer.content:
                        wrong.append((role, path, whose, "JSON", json))

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_shows_the_amounts_of_its_json(running: Running, language: str) -> None:
    """As money of its language."""
    with logged_in(running, "supervisor") as reader:
        reader.post("/language", content=f"language={language}&back=/")
        said = reader.get(f"{API}/customers/{OWN}").json()
        paths = f"/customers/{OWN}", f"/customers/{OWN}/ledger"
        pages = [reader.get(path).text for path in paths]
    words = Words(language, ZONE)
    [balance] = said["balances"].values()

    for page in pages:
        assert words.money(balance["balance"], balance["currency"]) in page
        assert f'lang="{words.tag}"' in page


def test_what_a_core_system_sends_is_shown_and_not_run(running: Running, decision: str) -> None:
    """A script in a name, a region and a feedback is text on every page of the customer."""
    seen = 0
    with logged_in(running, "auditor") as reader:
        for path in PAGES:
            page = reader.get(at(path, OWN, decision)).text
            assert "<script" not in page
            seen += "&lt;script&gt;" in page
    assert seen >= 3


def test_a_page_is_one_look_and_says_so(running: Running) -> None:
    """By the person who sits there, as what, for what."""
    with logged_in(running, "auditor", who="wang.fang") as reader:
        page = reader.get(f"/customers/{OTHERS}/tier").text
        assert "This look was recorded: Tier, for Audit." in page
    running.settle()
    looks = [
        look
        for look in running.report("audit", "access", OTHERS)["looks"]
        if look["who"] == "wang.fang"
    ]

    assert [(look["what"], look["role"], look["purpose"]) for look in looks] == [
        ("tier", "auditor", "audit")
    ]


def test_who_looked_is_shown_the_newest_first_page_by_page(running: Running) -> None:
    """Each look once, whoever looked and however many fit a page; and the next look is one more."""
    with running.calls("auditor", who="zhou") as caller:
        for question in ("tier", "ledger", ""):
            caller.get(f"/v1/customers/{OWN}/{question}".rstrip("/"))
        running.settle()
        whole = caller.get(f"/v1/customers/{OWN}/looks").json()["looks"]
        first = caller.get(f"/v1/customers/{OWN}/looks", params={"limit": 2}).json()
        second = caller.get(
            f"/v1/customers/{OWN}/looks", params={"limit": 2, "before": first["next"]}
        ).json()
        naive = caller.get(f"/v1/customers/{OWN}/looks?before=2026-03-02T10:00:00")
    told = running.report("audit", "access", OWN)["looks"]

    assert [look["what"] for look in whole if look["who"] == "zhou"] == [
        "picture",
        "ledger",
        "tier",
    ]
    assert (
        first["looks"] + second["looks"]
        == [each for each in told[::-1] if each["at"] <= first["looks"][0]["at"]][:4]
    )
    assert naive.status_code == 422


def test_a_link_opens_once_and_a_preview_of_it_spends_nothing(running: Running) -> None:
    """Nor does a button that another site presses."""
    link = link_for(running, "supervisor")
    code = link.partition("code=")[2]
    with browser(running) as previewing, browser(running) as first, browser(running) as second:
        previewing.get(link)
        elsewhere = previewing.post(
            "/login", content=f"code={code}", headers={"sec-fetch-site": "cross-site"}
        )
        assert elsewhere.status_code == 403
        assert first.post("/login", content=f"code={code}").status_code == 303
        assert second.post("/login", content=f"code={code}").status_code == 403
        assert first.get(f"/customers/{OWN}").status_code == 200
        assert second.get(f"/customers/{OWN}").status_code == 401


def test_who_has_logged_out_is_out_also_by_a_copied_cookie(running: Running) -> None:
    """The token in it is ended."""
    with logged_in(running, "supervisor") as reader, browser(running) as thief:
        thief.cookies.update(reader.cookies)
        assert thief.get(f"/customers/{OWN}").status_code == 200
        reader.post("/logout")

        assert thief.get(f"/customers/{OWN}").status_code == 401
        assert reader.get(f"/customers/{OWN}").status_code == 401


def test_a_token_of_the_api_is_no_cookie_of_the_console(running: Running) -> None:
    """Each door has its own."""
    with browser(running) as client, running.calls("auditor") as caller:
        token = caller.headers["authorization"].removeprefix("Bearer ")
        client.cookies.set(f"tierfold-{running.settings.console_port}", token)

        assert client.get(f"/customers/{OWN}").status_code == 401
        assert client.get(f"{API}/customers/{OWN}").status_code == 401


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil", "/%0d%0a"])
def test_the_switch_of_language_leads_nowhere_else(running: Running, back: str) -> None:
    """Whatever a form says that it came from."""
    with browser(running) as client:
        answer = client.post("/language", content=f"language=zh&back={back}")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_every_answer_forbids_what_pages_do_not_need(running: Running) -> None:
    """Also those that refuse: no frame, no script from elsewhere, nothing kept."""
    with logged_in(running, "supervisor") as reader:
        answers = [
            *(
                reader.get(path)
                for path in ("/", f"/customers/{OWN}", "/nowhere", "/static/console.css")
            ),
            reader.post("/language", headers={"sec-fetch-site": "cross-site"}),
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 404, 200, 403]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store"


def test_without_the_lookups_a_page_says_so_and_comes_back(running: Running) -> None:
    """The console goes on."""
    with logged_in(running, "supervisor") as reader:
        running.kill("web")
        away = reader.get(f"/customers/{OWN}")
        wait_until(lambda: reader.get(f"/customers/{OWN}").status_code == 200)

    assert away.status_code == 503
    assert "Not just now" in away.text


def test_a_console_that_was_killed_is_back_and_its_readers_are_still_in(running: Running) -> None:
    """Sessions are in cookies, and their key in a file."""
    with logged_in(running, "supervisor") as reader:
        running.kill("console")
        wait_until(lambda: is_up(running))

        assert reader.get(f"/customers/{OWN}").status_code == 200


def test_the_past_is_shown_as_it_was_with_both_clocks(running: Running) -> None:
    """Fields left empty are not asked; a moment is of the bank's zone; and the page says so."""
    with logged_in(running, "auditor") as reader:
        page = reader.get(f"/customers/{OWN}/as-of?occurred={date(2026, 3, 2)}&recorded=").text
        early = reader.get(f"/customers/{OWN}/as-of?occurred=&recorded=2020-01-01T00:00")

    assert "This is not now." in page
    assert "¥1,234,567.89" in page
    assert early.status_code == 404


def test_two_moments_are_compared_in_money_and_no_masked_number_is_told(running: Running) -> None:
    """Of two accounts with the same ends, the one that changed is the one that is told of."""
    opened = AccountOpened(
        account="a-0", product="current-account", asset_class="deposit", currency="CNY"
    )
    events = (
        ("opened", opened),
        ("held", BalanceReported(account="a-0", balance=500, currency="CNY")),
    )
    since = datetime.now(UTC)
    for name, data in events:
        sent = running.client.post(
            "/v1/interactions",
            content=write(proposed(data, name, f"customer:{OWN}")),
            headers={"content-type": "application/cloudevents+json"},
        )
        assert sent.status_code == 201
    running.settle()
    moments = f"before_recorded={quote(since.isoformat())}"
    with logged_in(running, "supervisor") as reader, logged_in(running, "auditor") as auditor:
        page = reader.get(f"/customers/{OWN}/differences?{moments}").text
        said = reader.get(f"/v1/customers/{OWN}/differences?{moments}")
        plain = auditor.get(f"/v1/customers/{OWN}/differences?{moments}").json()
        same = auditor.get(f"/v1/customers/{OWN}/differences").json()

    changed = {each["place"]: each for each in plain["changes"]}
    assert changed["ledger.accounts.a-0.balance"]["after"] == 500
    assert not any(place.startswith("ledger.accounts.a-1") for place in changed)
    assert [each["type"] for each in plain["events"]] == [
        "account-opened.v1",
        "balance-reported.v1",
    ]
    assert "¥5.00" in page
    assert "a-0" not in said.text
    assert [
        each["after"] for each in said.json()["changes"] if each["place"].endswith("balance")
    ] == [500]
    assert (said.json()["masked"], plain["masked"]) == (True, False)
    assert (same["changes"], same["events"]) == ([], [])


def test_a_link_to_somebody_leads_to_them_whatever_signs_their_number_has(
    running: Running,
) -> None:
    """A member whose number has a sign that addresses know is not taken for another."""
    member = "own#2"
    joined = HouseholdJoined(household=f"household:{OWN}", role="member")
    sent = running.client.post(
        "/v1/interactions",
        content=write(proposed(joined, "odd", f"customer:{member}")),
        headers={"content-type": STRUCTURED},
    )
    assert sent.status_code == 201
    running.settle()
    with logged_in(running, "supervisor") as reader:
        wait_until(lambda: "own%232" in reader.get(f"/households/{OWN}").text)

        assert 'href="/customers/own"' in reader.get(f"/households/{OWN}").text


@pytest.mark.parametrize("kind", ["promote", "roll-back", "forget", "restrict"])
def test_what_is_grave_needs_a_login_of_a_moment_ago(running: Running, kind: str) -> None:
    """In a browser that was left open for six minutes it is not done, and said why."""
    settings = running.settings
    sessions = Sessions(
        session_seed(settings),
        settings.token_issuer,
        settings.console_ended,
        lambda: time.time() - 360,
    )
    officer = Caller("he", ("privacy-officer", "tier-owner"))
    form = {"kind": kind, "of": "tier", "version": "x@1", "customer": "none", "reason": "asked"}
    with browser(running) as client, logged_in(running, *officer.roles) as fresh:
        [name] = fresh.cookies
        client.cookies.set(name, sessions.token(sessions.begin(officer)))
        old, new = (each.post("/jobs", content=urlencode(form)) for each in (client, fresh))
        file = f"/jobs/{'0' * 32}/file"
        assert [each.get(file).status_code for each in (client, fresh)] == [401, 404]

    assert (old.status_code == 401) == (kind != "restrict")
    assert ("five minutes" in old.text) == (kind != "restrict")
    assert new.status_code in {303, 503}, "begun, or as many run as may"
