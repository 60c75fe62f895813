"""What the console shows of a policy is what its author may write."""

from pathlib import Path

import pytest
import yaml

from deploy.console.render import as_yaml, difference
from deploy.policy_files import read_policy
from deploy.settings import POLICIES
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
