"""No line of a log has a secret or personal data in it, whoever wrote it and by
whatever mistake.
"""

import json
import subprocess
import sys

import pytest

from deploy.observability.logs import redacted

SAID = {
    "a password in a URL": ("cannot reach postgresql://bank:s3cr3t@db/x", "s3cr3t"),
    "a token": ("authorization: Bearer abc.def.ghi", "abc.def"),
    "a JWT anywhere": ("got eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln here", "eyJzdWIi"),
    "a key": (f"key {'0a' * 32}", "0a0a"),
    "a phone": ("打给 13800138000", "13800138000"),
    "an identity card": ("id 11010519491231002X", "11010519491231002X"),
    "a bank card": ("card 4111 1111 1111 1111", "4111"),
    "a customer": ("nothing of customer:4711 is there", "4711"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_looks_like_a_secret_is_not_logged(name: str) -> None:
    """By its shape, wherever it stands."""
    said, secret = SAID[name]

    assert secret not in redacted(said)
    assert "***" in redacted(said)


def test_what_operators_need_is_logged() -> None:
    """Counts, positions, times and names of what runs stay as they are."""
    said = (
        "shard 3 at position 1048576, 2026-11-25T10:15:00Z, standings@1/bohai-retail@1/1c0c2c28, "
        "12345678 events"
    )

    assert redacted(said) == said


def test_both_kinds_of_lines_are_redacted_by_a_process_of_its_own() -> None:
    """Structlog's by name and by shape, with exceptions; and those of libraries that
    use logging.
    """
    program = """
import logging, structlog
from deploy.observability.logs import set_up_logs
set_up_logs("info", "test")
log = structlog.get_logger()
log.info("said", count=3, token="abc", customer="4711", text="geheim", errors=[{"password": "geheim"}], note="call 13800138000")
try:
    raise ValueError("customer:4711 at postgresql://u:geheim@h/d")
except ValueError:
    log.exception("broken")
logging.getLogger("lib").error("for %s with Bearer %s", "customer:4711", "geheim")
"""  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, timeout=60
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    said = json.dumps([{**line, "timestamp": None} for line in lines])  # it has any digits

    assert [line["event"].split()[0] for line in lines] == ["said", "broken", "for"]
    assert lines[0]["count"] == 3
    assert "ValueError" in lines[1]["exception"]
    assert all(secret not in said for secret in ("4711", "geheim", "13800138000", '"abc"'))
