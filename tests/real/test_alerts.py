"""Which alerts fire is what a real Prometheus says."""

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from streams.queries.alerts import Alert, Away, alerts
from tests.conftest import free_port, wait_until

pytestmark = pytest.mark.real

OVER = 20
"""Seconds after which the second alert is over: longer than the steps by which it is looked for."""
RULES = """
groups:
  - name: tierfold
    rules:
      - {{alert: FoldsLate, expr: 'label_replace(vector(7), "shard", "3", "", "")', labels: {{severity: page}},
         annotations: {{summary: "{{{{ $value }}}} behind on shard {{{{ $labels.shard }}}}", runbook_url: "docs/runbook.md#foldslate"}}}}
      - {{alert: GuardFound, expr: 'vector(1) and on() (vector(time()) < {over})', labels: {{severity: ticket}},
         annotations: {{summary: "wrong", runbook_url: "docs/runbook.md#guardfound"}}}}
      - {{alert: NeverSeen, expr: 'vector(1) == 0'}}
  - name: others
    rules: [{{alert: DiskFull, expr: 'vector(1)'}}]
"""  # noqa: E501


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """The address of a Prometheus with rules of ours and of others."""
    rules, config = tmp_path / "rules.yaml", tmp_path / "prometheus.yaml"
    rules.write_text(RULES.format(over=time.time() + OVER), encoding="utf-8")
    config.write_text(f"global: {{evaluation_interval: 1s}}\nrule_files: [{rules}]\n")
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_there(f"{address}/-/ready"))
        yield address
    finally:
        process.kill()
        process.wait()


def is_there(address: str) -> bool:
    """Whether somebody answers well."""
    try:
        return httpx.get(address).is_success
    except httpx.HTTPError:
        return False


def test_what_fires_and_what_is_over_is_told_of_our_rules_alone(prometheus: str) -> None:
    """With its entry in the runbook, and what it is about."""

    def firing() -> dict[str, Alert]:
        return {each.alert: each for each in alerts(prometheus) if each.firing}

    wait_until(lambda: firing().keys() == {"FoldsLate", "GuardFound"})
    late = firing()["FoldsLate"]
    wait_until(lambda: firing().keys() == {"FoldsLate"})
    [first, second] = alerts(prometheus)

    assert (late.of, late.severity, late.summary) == ({"shard": "3"}, "page", "7 behind on shard 3")
    assert late.runbook == "docs/runbook.md#foldslate"
    assert late.since is not None
    assert abs((datetime.now(UTC) - late.since).total_seconds()) < 120
    assert (first.alert, first.firing) == ("FoldsLate", True)
    assert (second.alert, second.firing, second.since) == ("GuardFound", False, None)
    assert 0 < (datetime.now(UTC) - second.last).total_seconds() < 120


def test_one_that_is_away_or_something_else_is_said_so(tmp_path: Path) -> None:
    """Nobody listens there; or it is no Prometheus."""
    with pytest.raises(Away, match="ConnectError"):
        alerts(f"http://127.0.0.1:{free_port()}")
    port = free_port()
    command = ["python3", "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as other:
        wait_until(lambda: is_there(f"http://127.0.0.1:{port}"))
        with pytest.raises(Away, match="HTTPStatusError"):
            alerts(f"http://127.0.0.1:{port}")
        other.kill()
