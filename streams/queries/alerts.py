"""Which alerts fire, and which did of late? What Prometheus says: the door to it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx

OURS = "tierfold"
"""The group of our rules in `alerts.yaml`; a Prometheus has those of others too."""
PATIENCE = 2.0
"""Seconds."""
OF_LATE = 'max_over_time(timestamp(ALERTS{alertstate="firing"})[1d:15s])'
"""When an alert fired last, of those of a day."""
NAMED = ("alertname", "alertstate", "severity")
"""Labels that are told by themselves, or are none of the alert's own."""


class Away(Exception):
    """Prometheus does not answer, or not as it should; says how."""


class Alert(NamedTuple):
    """An alert that fires, or did within a day.

    `of` is what it is about, as `{"shard": "0"}`. `since` and `summary` are of one that fires;
    `last` is when it did last. `runbook` is where its entry stands.
    """

    alert: str
    severity: str
    of: dict[str, str]
    firing: bool
    since: datetime | None
    last: datetime
    summary: str | None
    runbook: str


def alerts(url: str) -> list[Alert]:
    """The alerts of the last day by our rules: those that fire first, the newest before others.

    `url` is that of a Prometheus, as `http://prometheus:9090`. Raises `Away`.
    """
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        try:
            groups = _asked(client, "/api/v1/rules", {"type": "alert"})["groups"]
            fired = _asked(client, "/api/v1/query", {"query": OF_LATE})["result"]
            found = [*_told(groups, fired)]
        except httpx.HTTPError as error:
            raise Away(type(error).__name__) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Away("it answers otherwise than Prometheus does") from error
    return sorted(found, key=lambda each: (each.firing, each.since or each.last), reverse=True)


def _asked(client: httpx.Client, path: str, query: Mapping[str, str]) -> Any:
    return client.get(path, params=dict(query)).raise_for_status().json()["data"]


def _told(groups: Any, fired: Any) -> Iterator[Alert]:
    """What fires by the rules, and what fired and does no more."""
    rules = {
        rule["name"]: rule for group in groups if group["name"] == OURS for rule in group["rules"]
    }
    now, firing = datetime.now(UTC), list[tuple[str, dict[str, str]]]()
    for name, rule in rules.items():
        for each in rule["alerts"]:
            if each["state"] == "firing":
                firing.append((name, _about(each["labels"])))
                yield Alert(
                    alert=name,
                    severity=each["labels"].get("severity", ""),
                    of=firing[-1][1],
                    firing=True,
                    since=datetime.fromisoformat(each["activeAt"]),
                    last=now,
                    summary=each["annotations"].get("summary"),
                    runbook=rule["annotations"].get("runbook_url", ""),
                )
    for each in fired:
        name, about = each["metric"].get("alertname"), _about(each["metric"])
        if name in rules and (name, about) not in firing:
            yield Alert(
                alert=name,
                severity=each["metric"].get("severity", ""),
                of=about,
                firing=False,
                since=None,
                last=datetime.fromtimestamp(float(each["value"][1]), UTC),
                summary=None,
                runbook=rules[name]["annotations"].get("runbook_url", ""),
            )


def _about(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name not in NAMED}
