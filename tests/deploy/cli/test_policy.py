"""A rule is read back in sentences, in both languages."""

import json
import subprocess
from pathlib import Path

import pytest

from deploy.policy_files import read_policy
from deploy.reports.policy_in_words import in_words
from deploy.reports.saying import Language, words
from deploy.settings import POLICIES
from tests.conftest import TIERFOLD

TIERS = sorted((POLICIES / "tiers").glob("*.yaml"))


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    return subprocess.run(
        [*TIERFOLD, "policy", "check", *arguments], capture_output=True, text=True, check=False
    )


def test_a_rule_is_told_with_its_ladder() -> None:
    """From the highest tier down, with amounts as money, and when one falls."""
    said = check(str(POLICIES / "tiers" / "bohai-retail.yaml")).stdout.splitlines()

    assert said[0].startswith("bohai-retail@1 belongs to the scheme retail and is for everyone")
    assert "Who misses the tier in 3 assessments in a row falls" in "\n".join(said)
    ladder = [line for line in said if "█" in line]
    assert [line.split(" (")[1].partition(")")[0] for line in ladder] == [
        "diamond",
        "platinum",
        "gold",
        "affluent",
        "mass",
    ]
    assert "assets at least 200,000.00 CNY; falls after 3 missed" in ladder[2]
    assert [line.count("█") for line in ladder] == sorted(
        (line.count("█") for line in ladder), reverse=True
    )


def test_it_is_told_in_chinese_and_to_machines() -> None:
    """The same rule under the same digest."""
    path = str(POLICIES / "tiers" / "corporate-key-accounts.yaml")
    chinese = check(path, "--language", "zh").stdout
    told = json.loads(check(path, "--json").stdout)

    assert "适用于企业客户" in chinese
    assert "存款" in chinese
    assert told["digest"] in chinese
    assert [rung["tier"] for rung in told["ladder"]] == ["strategic", "important", "standard"]


@pytest.mark.parametrize("path", TIERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("language", Language)
def test_every_published_rule_can_be_told(path: Path, language: Language) -> None:
    """Each measure and each tier, with no place left open."""
    rule = read_policy(path)
    told = in_words(rule, language)

    assert [rung.tier for rung in told.ladder] == [tier.tier for tier in reversed(rule.tiers)]
    assert all(any(name in sentence for sentence in told.sentences) for name in rule.measures)
    assert not any("{" in said for said in (*told.sentences, *(rung.asks for rung in told.ladder)))


def test_both_languages_have_the_same_words() -> None:
    """What can be said in one can be said in the other."""
    english, chinese = words(Language.EN), words(Language.ZH)

    assert english.sentences.keys() == chinese.sentences.keys()
    assert english.names.keys() == chinese.names.keys()


def test_a_precedence_is_told_in_its_order() -> None:
    """One line a scheme."""
    said = check(str(POLICIES / "precedence.yaml")).stdout.splitlines()

    assert said[1:3] == [
        "1. corporate counts for everybody whom it covers.",
        "2. private counts from the tier private on.",
    ]


def test_fees_and_what_does_not_count_are_told_too(tmp_path: Path) -> None:
    """Every amount as money, and no scheme left out."""
    rule, order = tmp_path / "rule.yaml", tmp_path / "order.yaml"
    text = (POLICIES / "tiers" / "bohai-retail.yaml").read_text(encoding="utf-8")
    rule.write_text(text.replace("account: 1200}", "account: 1_200 CNY}"), encoding="utf-8")
    said = (POLICIES / "precedence.yaml").read_text(encoding="utf-8")
    order.write_text(said.replace("  - {scheme: stars}", "uncounted: [stars]"), encoding="utf-8")

    assert "fee account 1,200.00 CNY a year" in check(str(rule)).stdout
    assert "stars are live and count for nobody" in check(str(order)).stdout


def test_what_cannot_be_used_is_said_with_its_place(tmp_path: Path) -> None:
    """And the command ends with 2."""
    path = tmp_path / "rule.yaml"
    text = (POLICIES / "tiers" / "bohai-retail.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("at_least: 20000000}", "at_least: 20w}"), encoding="utf-8")

    done = check(str(path))

    assert done.returncode == 2
    assert "tiers[2].reach.at_least: 20w is no amount: write 500,000 CNY" in done.stderr
