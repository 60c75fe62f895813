"""What is watched is there.

Alerts and dashboards name metrics that processes export, and every alert has an entry in the
runbook.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.observability.metrics import REGISTRY
from streams.queries.health import LATENCY
from tests.conftest import Running, wait_until

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
METRIC = re.compile(r"\btierfold_[a-z_]+")
SUFFIXES = ("_bucket", "_count", "_sum", "_total", "_created")


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    [group] = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return list(group["rules"])


def expressions() -> list[str]:
    """Every expression of alerts and dashboards."""
    dashboards = [json.loads(file.read_text()) for file in (MONITORING / "dashboards").iterdir()]
    shown = [
        target["expr"]
        for each in dashboards
        for panel in each["panels"]
        for target in panel.get("targets", ())
    ]
    return [*shown, *(rule["expr"] for rule in rules())]


def base(name: str) -> str:
    """A metric's name without what its kind adds to it."""
    return next((name.removesuffix(suffix) for suffix in SUFFIXES if name.endswith(suffix)), name)


def test_everything_that_is_watched_is_exported(stack: Running) -> None:
    """By the lookups of a running stack, or by the other processes about their own station."""
    client = stack.calls("operator")
    wait_until(lambda: "tierfold_guard_findings" in client.get("/metrics").text)
    text = client.get("/metrics").text
    told = {base(line.split()[2]) for line in text.splitlines() if line.startswith("# TYPE")}
    told |= {base(metric.name) for metric in (*REGISTRY.collect(), *LATENCY.collect())}
    watched = {base(name) for expression in expressions() for name in METRIC.findall(expression)}

    assert len(watched) > 15
    assert watched <= told


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """Its link leads to an entry of its own name, with more than a sentence under it."""
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    entries = (ROOT / page).read_text().split("\n## ")
    [entry] = [each for each in entries if each.partition("\n")[0].lower() == anchor]

    assert anchor == rule["alert"].lower()
    assert len(entry) > 150
    assert rule["labels"]["severity"] in {"page", "ticket"}
