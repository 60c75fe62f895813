"""People use the console in a browser: they click, read and leave nothing in its console.

Debian's Chromium, driven as a person would; whatever it complains of, or asks of others, fails.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from deploy.console.links import make_link
from deploy.console.pages import PAGES, may_see
from deploy.console.words import Words
from deploy.settings import POLICIES
from deploy.wiring import journal_of
from domain.access.events import REGISTER
from domain.access.roles import PEOPLE, Caller
from domain.event import Role
from domain.offers.events import OfferAccepted
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, free_port, settings_in, wait_until

pytestmark = pytest.mark.browser
CUSTOMER = "100001"
ROOT = Path(__file__).parents[2]
IN = ("zh-CN", "en-US")
"""The languages in which each walks."""
FLAGS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update"]
LOOKS = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "forced colours": {"forced_colors": "active"},
    "small": {"viewport": {"width": 320, "height": 640}},
}
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
BY_LOOK = ["color-contrast", "scrollable-region-focusable", "target-size"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A small bank over four months, and its console."""
    settings = settings_in(
        tmp_path_factory.mktemp("browser"), console_port=free_port(), rate_of_people="3000/minute"
    )
    with Running(settings) as made:
        file = settings.data_dir / "bank.jsonl"
        file.write_bytes(b"\n".join(map(write, synth(Bank(60, 4, 5)))))
        made.report("feed", str(file))
        made.settle()
        wait_until(lambda: httpx.get(settings.console_address).status_code == 200)
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser; it is there, or the tests fail."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield made
        made.close()


@contextmanager
def sitting(
    running: Running, chromium: Any, role: Role, who: str = "li", **how: Any
) -> Iterator[Any]:
    """Somebody who has opened a link, and pressed its button; the browser must be content."""
    settings, complaints = running.settings, list[str]()
    context = chromium.new_context(**how)
    page = context.new_page()

    def asked(request: Any) -> None:
        if urlsplit(request.url).netloc != urlsplit(settings.console_address).netloc:
            complaints.append(f"asked elsewhere: {request.url}")

    def answered(response: Any) -> None:
        if response.status >= 400:
            complaints.append(f"{response.status} {response.url}")

    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", asked)
    page.on("response", answered)
    page.goto(make_link(settings.console_links, settings.console_address, Caller(who, (role,))))
    page.get_by_role("main").get_by_role("button").click()
    yield page
    context.close()
    assert complaints == []


def looks(running: Running, who: str) -> list[str]:
    """What somebody has looked at of the customer, by the journal."""
    told = running.report("audit", "access", CUSTOMER)["looks"]
    return [look["what"] for look in told if look["who"] == who]


def spoken(language: str) -> Words:
    """The words of a language."""
    return Words(language[:2], ZoneInfo("Asia/Shanghai"))


def found(page: Any, label: str, button: str) -> None:
    """Look for a customer by the number."""
    page.get_by_label(label).fill(CUSTOMER)
    page.get_by_role("button", name=button, exact=True).click()


def a_tenth(bound: re.Match[str]) -> str:
    """A tenth of an amount of yuan."""
    return f"at_least: {bound[1].replace(',', '')}.00 CNY"


@pytest.mark.parametrize("language", IN)
def test_a_supervisor_asks_why_and_the_look_is_in_the_journal(
    running: Running, chromium: Any, language: str
) -> None:
    """From the link to the events behind a tier, by clicks alone."""
    words, who = spoken(language), f"li.wei-{language}"
    with sitting(running, chromium, "supervisor", who=who, locale=language) as page:
        found(page, words.say("Customer number"), words.say("Find"))
        page.get_by_role("link", name=words.say("Tier"), exact=True).click()
        assert re.search("needs ¥|需达到|needs CN¥", page.get_by_role("main").inner_text())
        page.get_by_role("link", name=words.say("Why this tier")).click()
        events = page.locator("details").first
        if events.get_attribute("open") is None:
            events.locator("summary").click()
        assert re.search("¥[0-9,.]+", events.inner_text())
        heads = page.locator("h1, h2, th, dt").all_inner_texts()[0]
        assert language == "en-US" or not re.search(r"\b[a-z]{4,}\b", heads)
    wait_until(lambda: looks(running, who) == ["picture", "tier", "explain"])


def test_a_supervisor_finds_a_customer_by_name_and_compares_two_moments(
    running: Running, chromium: Any
) -> None:
    """From the first page to the customer, and to what has changed since a day."""
    known = running.client.get(f"/v1/customers/{CUSTOMER}/history").json()["events"]
    name = next(each["data"]["name"] for each in known if each["data"].get("name"))
    with sitting(running, chromium, "supervisor", who="zhou", locale="zh-CN") as page:
        page.get_by_label("客户全名").fill(name)
        page.get_by_role("button", name="在全行查找").click()
        ended(page, CUSTOMER)
        page.get_by_role("link", name=CUSTOMER, exact=True).click()
        page.get_by_role("link", name="变化", exact=True).click()
        page.locator("#before_occurred").fill("2026-02-10")
        page.get_by_role("button", name="查看").click()
        said = page.get_by_role("main").inner_text()
    assert "其间的事件" in said
    assert re.search("余额.*¥", said), said
    wait_until(lambda: {"find", "differences"} <= {*looks(running, "zhou")})


@pytest.mark.parametrize("language", IN)
def test_an_auditor_reads_the_events_who_looked_and_takes_the_proof_away(
    running: Running, chromium: Any, language: str, tmp_path: Path
) -> None:
    """Page by page; they find their own look among the others, and the file verifies."""
    words, who = spoken(language), f"wang.fang-{language.lower()}"
    with sitting(running, chromium, "auditor", who=who, locale=language) as page:
        found(page, words.say("Customer number"), words.say("Find"))
        page.get_by_role("link", name=words.say("Events"), exact=True).click()
        assert page.locator("ol.timeline > li").count() > 10
        assert words.word("customer-onboarded.v1") in page.get_by_role("main").inner_text()
        page.get_by_role("link", name=words.say("As it was")).click()
        page.get_by_label(words.say("Occurred until")).fill("2026-02-28")
        page.get_by_role("button", name=words.say("Show")).click()
        assert words.say("This is not now.") in page.get_by_role("main").inner_text()
        wait_until(lambda: "as-of" in looks(running, who))
        page.get_by_role("link", name=words.say("Who looked")).click()
        assert who in page.get_by_role("main").inner_text()
        page.get_by_role("link", name=words.say("Jobs"), exact=True).click()
        page.locator("#proven").fill(CUSTOMER)
        page.get_by_role("button", name=words.say("Prove this history in one file")).click()
        ended(page, words.say("Take the file away"))
        with page.expect_download() as taking:
            page.get_by_role("link", name=words.say("Take the file away")).click()
        taking.value.save_as(tmp_path / "proof.bundle")
    assert running.run("audit", "verify", str(tmp_path / "proof.bundle")).returncode == 0
    wait_until(lambda: looks(running, who).count("bundle") == 2)  # made, and taken away


@pytest.mark.parametrize("language", IN)
def test_a_manager_sees_own_customers_and_switches_the_language(
    running: Running, chromium: Any, language: str
) -> None:
    """From their own list to what happened; the same page again, in the other language; then out,
    and out stays out.
    """
    words, others = spoken(language), spoken(IN[1 - IN.index(language)])
    with sitting(running, chromium, "manager", who="0", locale=language) as page:
        page.get_by_role("navigation").get_by_role("link", name=words.say("My customers")).click()
        page.get_by_label(words.say("Name begins with")).fill("nobody's name")
        page.get_by_role("button", name=words.say("Show")).click()
        nobody = words.say("Nobody in this book is so. Ask for others.")
        assert nobody in page.get_by_role("main").inner_text()
        page.get_by_label(words.say("Name begins with")).fill("")
        page.get_by_role("button", name=words.say("Show")).click()
        page.get_by_role("link", name=CUSTOMER).click()
        page.get_by_role("link", name=words.say("Timeline")).click()
        page.get_by_label(words.say("Which part")).select_option("tiering")
        page.get_by_role("button", name=words.say("Show")).click()
        assert words.word("tier-changed.v1") in page.get_by_role("main").inner_text()
        wait_until(lambda: {"book", "timeline"} <= {*looks(running, "0")})
        found(page, words.say("Customer number"), words.say("Find"))
        page.get_by_role("button", name={"zh": "中文", "en": "English"}[others.language]).click()
        assert page.url.endswith(f"/customers/{CUSTOMER}")
        belongs = others.say("Together with")
        assert belongs in page.get_by_role("main").inner_text()
        page.get_by_role("button", name=others.say("Log out")).click()
        assert "console-link" in page.get_by_role("main").inner_text()


@pytest.mark.parametrize("language", IN)
def test_a_manager_asks_what_to_offer_and_says_what_came_of_it(
    running: Running, chromium: Any, language: str
) -> None:
    """The decision with its reasons; pressed twice, the answer is in the journal once."""
    words = spoken(language)
    with sitting(running, chromium, "manager", who="0", locale=language) as page:
        page.get_by_role("link", name=words.say("My customers")).first.click()
        page.get_by_role("link", name=CUSTOMER).click()
        page.get_by_role("link", name=words.say("Offer"), exact=True).click()
        page.get_by_role("button", name=words.say("What to offer now?")).click()
        assert words.say("Ranked") in page.get_by_role("main").inner_text()
        decision = page.url.split("/")[-2]
        page.get_by_role("button", name=words.say("They said yes")).first.dblclick()
        page.wait_for_url("**said=accepted")
        assert words.word("offer-accepted.v1") in page.get_by_role("main").inner_text()
    answers = [
        event
        for event in journal_of(running.settings)[
            shard_of(f"customer:{CUSTOMER}", running.settings.shards)
        ].history(f"customer:{CUSTOMER}")
        if isinstance(event.data, OfferAccepted) and event.data.decision == decision
    ]
    aside = running.report("quarantine", "list", "--source", "0/console")["entries"]
    assert [each.source for each in answers] == ["0/console"]
    assert aside == []


def test_a_rule_is_written_in_chinese_and_approved_by_somebody_else_in_english(
    running: Running, chromium: Any
) -> None:
    """Checked, tried, proposed; compared, approved, promoted; and rolled back: in the journal."""
    with sitting(running, chromium, "tier-owner", who="li.wei", locale="zh-CN") as page:
        page.get_by_role("link", name="规则与政策").first.click()
        text = page.get_by_label("规则文本")
        text.fill(re.sub(r"at_least: ([\d,]+)0\.00 CNY", a_tenth, written(text)))
        page.get_by_role("button", name="检查").click()
        ended(page, "层级阶梯")
        page.get_by_text("继续修改").click()
        page.get_by_role("button", name="对全行客户试算").click()
        ended(page, "位升级")
        page.get_by_text("继续修改").click()
        page.get_by_role("button", name="提出").dblclick()
        ended(page, "已提出")
    with sitting(running, chromium, "tier-owner", who="zhang.min", locale="en-US") as page:
        page.get_by_role("link", name="Versions").first.click()
        page.get_by_role("link", name="bohai-retail@2/").click()
        differs = page.get_by_role("region", name="Where they differ").inner_text()
        assert "\N{MINUS SIGN} version: 1" in differs
        assert "+ version: 2" in differs
        page.get_by_role("button", name="Compare with live").click()
        ended(page, "rise")
        page.get_by_role("button", name="Approve").click()
        ended(page, "zhang.min approved")
        page.get_by_role("button", name="Promote").click()
        ended(page, "is live")
        page.get_by_role("link", name="Versions").first.click()
        page.get_by_label("Why go back?").fill("a test")
        page.get_by_role("button", name="Roll back").click()
        ended(page, "is live")
    group = running.report("replay", "versions")["groups"]["standings@1"]
    assert len(group["versions"]) == 2  # clicked twice, it was proposed once
    assert group["live"].startswith("bohai-retail@1/")
    [brought] = [each for name, each in group["versions"].items() if "@2/" in name]
    assert (brought["by"], [each["by"] for each in brought["approvals"]]) == (
        "li.wei",
        ["zhang.min"],
    )


def written(text: Any) -> str:
    """What stands in a field, as the version after it."""
    return str(text.input_value()).replace("version: 1\n", "version: 2\n", 1)


def ended(page: Any, said: str) -> None:
    """A job that a page shows has ended, and says so; its page waits some seconds each time."""
    again = page.get_by_role("link", name=re.compile("Look again|刷新"))
    for _ in range(100):
        if said in (shown := page.get_by_role("main").inner_text()):
            return
        if again.count():
            again.click()
        else:
            page.wait_for_timeout(200)  # the form before is still on its way
    raise AssertionError(shown)


@pytest.mark.parametrize("language", IN)
def test_an_operator_lets_go_what_was_set_aside(
    running: Running, chromium: Any, language: str
) -> None:
    """From the outcomes to the entry, with a reason that is on record."""
    words, source = spoken(language), f"core-{language}"
    bad = running.settings.data_dir / "bad.jsonl"
    bad.write_text(
        f'{{"specversion": "1.0", "id": "1", "source": "{source}", "type": "no.such"}}\n'
    )
    running.report("feed", str(bad), code=1)
    with sitting(running, chromium, "operator", who="chen", locale=language) as page:
        page.get_by_role("link", name=words.say("Operations")).first.click()
        assert words.say("They add up.") in page.get_by_role("main").inner_text()
        page.get_by_role("link", name=words.say("What is in quarantine")).click()
        page.locator("td summary").last.click()
        page.get_by_label(words.say("Why do you decide so?")).last.fill("a test")
        page.get_by_role("button", name=words.say("Let it go")).last.click()
        ended(page, words.word("discarded"))
    every = running.report("quarantine", "list", "--all")["entries"]
    assert [each["fate"] for each in every if each["source"] == source] == ["discarded"]


def test_a_privacy_officer_restricts_in_chinese_and_lifts_in_english(
    running: Running, chromium: Any
) -> None:
    """From whose time is over to the certificate; each order is in the journal with who gave it."""
    with sitting(running, chromium, "privacy-officer", who="he", locale="zh-CN") as page:
        page.get_by_role("link", name="任务").first.click()
        page.get_by_role("button", name="哪些客户的保存期限已届满").click()
        ended(page, "没有客户的保存期限届满")
        page.get_by_role("link", name="任务").first.click()
        ordered(page, ("客户号", "处理原因", "限制处理"), "客户有异议")
        ended(page, "restricted-")
        assert page.locator("dl [lang=en]").all_inner_texts() == []
    with sitting(running, chromium, "privacy-officer", who="he", locale="en-US") as page:
        page.get_by_role("link", name="Jobs").first.click()
        ordered(
            page, ("Customer's number", "Why do you decide so", "Lift the restriction"), "settled"
        )
        ended(page, "lifted-")
    said = [
        (type(event.data).__name__, event.data.by, event.data.reason)
        for shard in journal_of(running.settings)
        for event in shard.history(REGISTER)
    ]
    assert said == [
        ("SubjectRestricted", "he", "客户有异议"),
        ("RestrictionLifted", "he", "settled"),
    ]


def ordered(page: Any, labels: tuple[str, str, str], reason: str) -> None:
    """Give an order about somebody: number, reason and button by their labels."""
    number, why, button = labels
    form = page.locator("form:has(button[value=restrict])")
    form.get_by_label(number).fill("100003")
    form.get_by_label(why).fill(reason)
    form.get_by_role("button", name=button).click()


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
@pytest.mark.parametrize("role", PEOPLE)
def test_every_role_has_a_place_to_begin(
    running: Running, chromium: Any, role: Role, language: str
) -> None:
    """What the first page leads to opens, also without script."""
    who = "0" if role == "manager" else "li"
    with sitting(running, chromium, role, who, locale=language, java_script_enabled=False) as page:
        for place in [link.get_attribute("href") for link in page.locator("nav a").all()]:
            page.goto(running.settings.console_address + place)
            assert page.locator("h1").count() == 1
        if may_see(Caller(who, (role,)), "/customers/{customer}"):
            page.goto(f"{running.settings.console_address}/customers/{CUSTOMER}")
            assert CUSTOMER in page.locator("h1").inner_text()


@pytest.mark.parametrize("look", LOOKS)
def test_every_page_is_accessible_and_fits(running: Running, chromium: Any, look: str) -> None:
    """By axe (WCAG 2.2 AA), in light, dark and forced colours; and on 320 pixels."""
    from axe_playwright_python.sync_playwright import Axe

    rules = {"runOnly": {"type": "tag", "values": LEVELS}}
    if look != "light":  # what is the same in every look was looked at in that one
        rules = {"runOnly": {"type": "rule", "values": BY_LOOK}}
    wrong: list[tuple[str, str, str]] = []
    made = running.client.get(f"/v1/customers/{CUSTOMER}/next-best-offer").json()["decision"]
    why = f"/v1/decisions/{made}/explanation"
    wait_until(lambda: running.client.get(why).status_code == 200)
    named = {"customer": CUSTOMER, "household": "0", "decision": made}
    of_owners = [f"/jobs/{job(running, kind=kind)}" for kind in ("check", "try", "funnel", "value")]
    named["job"] = job(running, kind="verify")
    axe, managers = Axe(), "/customers/{customer}/foresight"
    auditor = Caller("li", ("auditor",))
    pages = {
        "auditor": [
            "/",
            *(path for path in PAGES if may_see(auditor, path) and "{company}" not in path),
        ],
        "manager": [managers, "/managers/0/customers", "/customers/{customer}/offer"],
        "operator": ["/quarantine"],
        "tier-owner": ["/policies", *of_owners],
        "privacy-officer": ["/jobs", f"/jobs/{job(running, kind='due')}"],
        "supervisor": ["/"],
    }
    for role, paths in pages.items():
        who = "0" if role == "manager" else "li"
        with sitting(running, chromium, cast("Role", role), who, **LOOKS[look]) as page:
            for path in paths:
                page.goto(running.settings.console_address + path.format(**named))
                violations = axe.run(page, options=rules).response["violations"]
                wrong += [(path, each["id"], each["nodes"][0]["html"][:80]) for each in violations]
                if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wrong.append((path, "wider than the window", ""))

    assert wrong == []


def job(running: Running, kind: str) -> str:
    """A job that has ended: of the shipped rule, or of the whole bank's."""
    name = token_hex(16)
    rule = (POLICIES / "tiers" / "bohai-retail.yaml").read_text(encoding="utf-8")
    of_rule = {"of": "tier", "policy": rule} if kind in ("check", "try") else {}
    asked = {"kind": kind, **of_rule}
    assert running.client.put(f"/v1/jobs/{name}", json=asked).status_code == 201
    wait_until(lambda: running.client.get(f"/v1/jobs/{name}").json()["state"] == "done")
    return name


@pytest.mark.parametrize(
    ("locale", "file"), [("en-US", "docs/console.png"), ("zh-CN", "docs/zh-CN/console.png")]
)
def test_the_readme_shows_a_picture_of_this_console(
    running: Running, chromium: Any, locale: str, file: str
) -> None:
    """A small one, of this size; `TIERFOLD_PICTURES=1` takes it anew."""
    size = {"width": 1000, "height": 640}
    with sitting(running, chromium, "supervisor", locale=locale, viewport=size) as page:
        page.goto(f"{running.settings.console_address}/customers/{CUSTOMER}/tier")
        taken: bytes = page.screenshot()
    if "TIERFOLD_PICTURES" in os.environ:
        (ROOT / file).write_bytes(taken)
    shown = (ROOT / file).read_bytes()

    assert len(shown) < 100_000
    assert shown[:24] == taken[:24], "another width or height, or no PNG"


def test_the_keyboard_leads_past_the_bar(running: Running, chromium: Any) -> None:
    """The first stop skips to the content; each stop can be seen."""
    with sitting(running, chromium, "supervisor", locale="en-US") as page:
        page.goto(f"{running.settings.console_address}/customers/{CUSTOMER}")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")

    assert outline != "none"
