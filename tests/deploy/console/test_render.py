"""What the console shows of a policy is what its author may write."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from deploy.console.render import _environment, as_yaml, difference, policy_in_words
from deploy.console.words import Words
from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.rules.conditions import Gap
from domain.tiering.policy import TierPolicy

RULES = sorted((POLICIES / "tiers").glob("*.yaml"))


@pytest.mark.parametrize("file", RULES, ids=lambda file: file.stem)
def test_a_rule_as_it_is_shown_is_the_rule(file: Path) -> None:
    """Sent back as it was shown, it has the same digest."""
    policy = read_policy(file)
    shown = as_yaml(policy.said)
    assert TierPolicy.model_validate(yaml.safe_load(shown)).digest == policy.digest


def test_amounts_are_shown_with_their_unit_and_counts_without() -> None:
    """A bound of money, a fee, and a number of months."""
    policy = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
    shown = yaml.safe_load(as_yaml(policy.said))
    assert shown["tiers"][1]["reach"]["at_least"].endswith(" CNY")
    assert shown["misses_allowed"] == policy.misses_allowed


def test_what_differs_is_shown_in_money() -> None:
    """One bound that is another."""
    policy = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
    other = policy.said
    other["tiers"][1]["reach"]["at_least"] = 123_456_00
    lines = difference(policy.said, other)
    assert [line for sign, line in lines if sign == "+"] == ["    at_least: 123,456.00 CNY"]


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (Gap("rating", ("AAA", "AA"), "BBB"), "Rating: is BBB, needs one of AAA, AA"),
        (Gap("rating", ("AAA",), None), "Rating: is \N{EN DASH}, needs one of AAA"),
        (
            Gap("holdings", ("card",), ("loan", "fund")),
            "Holdings: is Loan, Fund, needs one of Card",
        ),
        (Gap("products", 3, 3), "Products: has 3, needs 3"),
        (Gap("products", 3, 1), "Products: has 1, needs 3 · 2 missing"),
        (
            Gap("idle-months", 2, 5, at_most=True),
            "Idle months: has 5, may have at most 2 · 3 too much",
        ),
    ],
)
def test_what_is_missing_is_said_of_traits_as_of_amounts(gap: Gap, said: str) -> None:
    """A rating that is not known, products that are held, a count."""
    words = Words("en", ZoneInfo("Asia/Shanghai"))
    macros: Any = _environment("en").get_template("macros.html").module
    shown = str(macros.missing(words, asdict(gap), {}))
    assert " ".join(re.sub("<[^>]+>", "", shown).split()) == said


def test_a_policy_that_cannot_be_read_is_said_so() -> None:
    """One of a later release has a field that this one does not know."""
    words = Words("en", ZoneInfo("Asia/Shanghai"))
    said = read_policy(POLICIES / "tiers" / "bohai-retail.yaml").said
    macros: Any = _environment("en").get_template("results.html").module
    known, unknown = (
        str(macros.in_words(words, policy_in_words(words, "tier", each)))
        for each in (said, said | {"of_tomorrow": 1})
    )
    assert "bohai-retail@1" in known
    assert unknown.count("This release cannot read it.") == 1
    assert "bohai-retail" not in unknown


@pytest.mark.parametrize(("count", "drawn"), [(1, 0), (2, 2), (8, 8), (30, 8)])
def test_a_household_is_drawn_as_far_as_names_have_room(count: int, drawn: int) -> None:
    """Those who are in it today, and how many of them are drawn."""
    span = {"role": "member", "share_permille": 1000, "since": "2026-01-01", "until": None}
    members = {f"customer:{number}": [span] for number in range(count)}
    gone = {"customer:gone": [span | {"until": "2026-02-01"}]}
    to_come = {"customer:later": [span | {"since": "2099-01-01"}]}
    page = _environment("en").get_template("household.html")
    words = Words("en", ZoneInfo("Asia/Shanghai"))
    around: dict[str, Any] = {"session": None, "places": [], "finds": False, "here": "/"}
    it = {"household": "h", "members": members | gone | to_come, "months": {}}
    shown = page.render(
        words=words, it=it, name="Household", today="2026-03-01", may=set(), **around
    )

    assert shown.count("<text ") == drawn
    assert ("Together now" in shown) == (count > 1)
    assert ("the first 8 are drawn" in shown) == (count > 8)


def test_an_amount_that_the_reader_may_not_see_is_shown_masked() -> None:
    """As the answer has it."""
    words = Words("en", ZoneInfo("Asia/Shanghai"))
    macros: Any = _environment("en").get_template("macros.html").module
    account = {"asset_class": "deposit", "balance": "***", "currency": "CNY", "closed": False}
    shown = str(macros.accounts(words, {"a": account | {"stated": None}}, "***"))
    assert "***" in shown
    assert "No month has ended yet." in str(macros.months(words, "***"))
    assert "2026-01" not in str(macros.months(words, {"2026-01": "***"}))


def test_alerts_are_shown_with_what_they_are_about_and_their_entry_in_the_runbook() -> None:
    """One that fires since when, one that is over, and what to set where nobody tells."""
    words = Words("zh", ZoneInfo("Asia/Shanghai"))
    page = _environment("zh").get_template("alerts.html")
    around: dict[str, Any] = {"session": None, "places": [], "finds": False, "here": "/"}
    fires: dict[str, Any] = {
        "alert": "FoldsLate",
        "severity": "page",
        "of": {"shard": "3"},
        "firing": True,
        "since": "2026-03-01T01:00:00.5Z",
        "last": "2026-03-01T02:00:00Z",
        "summary": "7 behind <b>",
        "runbook": "docs/runbook.md#foldslate",
    }
    over = fires | {
        "alert": "GuardFound",
        "of": {},
        "firing": False,
        "since": None,
        "summary": None,
    }
    asked = {"alerts": [fires, over], "prometheus": "http://prometheus:9090"}
    shown = page.render(words=words, it=asked, name="Alerts", **around)
    nobody = page.render(
        words=words, it={"alerts": [], "prometheus": None}, name="Alerts", **around
    )

    for said in (
        "FoldsLate",
        "7 behind &lt;b&gt;",
        "09:00:00",
        "10:00:00",
        "docs/runbook.md#foldslate",
    ):
        assert said in shown
    assert "TIERFOLD_PROMETHEUS_URL" in nobody
