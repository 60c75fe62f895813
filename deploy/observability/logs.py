"""How do processes log?

Stable event names with keyword data, one JSON object a line, on standard error; no secrets and no
personal data.
"""

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from domain.access.redaction import without_numbers

HIDDEN = "***"
SECRET_NAMES = re.compile(
    r"passw|secret|token|authorization|cookie|api.?key|master|seed", re.IGNORECASE
)
PERSONAL_NAMES = frozenset(
    {
        "customer",
        "stream",
        "subject",
        "name",
        "value",
        "text",
        "comment",
        "account",
        "data",
        "original",
        "raw",
    }
)
"""What no line of a log says, whatever it is."""
SECRETS = re.compile(
    r"(?<=://)[^/@\s:]*:[^@\s]*(?=@)|(?<=[Bb]earer "
    r")\S+|eyJ[\w-]+\.[\w-]*\.[\w-]*|\b[0-9a-f]{64}\b|(?<=customer:)[\w.\-/@#]+"
)
"""Passwords in URLs, tokens, keys in hexadecimal, customers' numbers."""


def redacted(text: str) -> str:
    """A text without what looks like a secret, a customer's number, or a number of somebody's."""
    return without_numbers(SECRETS.sub(HIDDEN, text))


def without_secrets(
    _logger: Any, _method: str, said: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Let nothing of the kind into a line, whoever logs it (a structlog processor)."""
    return {name: _hidden(name, value) for name, value in said.items()}


class Redacting(logging.Formatter):
    """The lines of libraries, as JSON, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        said = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": redacted(super().format(record)),
        }
        return json.dumps(said, ensure_ascii=False)


def set_up_logs(level: str, process: str) -> None:
    """Log from `level` up; every line names the process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            without_secrets,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    structlog.contextvars.bind_contextvars(process=process)
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(Redacting())
    logging.basicConfig(level=logging.WARNING, handlers=[lines])
    for noisy in ("kafka", "aiokafka", "faust", "mode"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _hidden(name: str, value: Any) -> Any:
    if SECRET_NAMES.search(name) or name in PERSONAL_NAMES:
        return HIDDEN
    if isinstance(value, dict):
        return {key: _hidden(str(key), each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(name, each) for each in value]
    return redacted(value) if isinstance(value, str) else value
