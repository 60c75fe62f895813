"""How is a notice handed over, and when is it believed to be there?

By webhook, signed as Standard Webhooks says (standardwebhooks.com, 1.0.0), or on a Kafka topic.
"""

import base64
import hashlib
import hmac
import ssl
import threading
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from streams.broker.kafka import NOTICES, Broker, KafkaError, KafkaProducer
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import STRUCTURED
from streams.outbox.notices import Notice

PATIENCE = 15.0
WHSEC = "whsec_"
AGAIN = {408, 409, 425, 429}
"""Answers by which a receiver asks for the same once more."""
CLOSED = {401, 403, 404, 410}
"""Answers by which not this notice is wrong, but how the receiver is asked, or that it is."""
LONGEST_WAIT = 3_600.0
A_WHILE = 2.0
"""Seconds after which others have their turn."""
SURELY_SENT = 40.0
"""Seconds after which a producer sends no more by itself: longer than its own patience."""
READ = 64 * 1024
"""Bytes of an answer that are read, so that the connection can be used again."""


class HandOver(NamedTuple):
    """What became of handing a notice over: it is there, or why it is not.

    `answered` tells that the receiver is there; `refused`, that it does not want this one. `wait`
    has the seconds that it asks for.
    """

    is_there: bool
    why: str = ""
    answered: bool = False
    refused: bool = False
    wait: float = 0.0


class Sink(Protocol):
    """Where notices of one subject are handed over, in order, up to the first that is not there."""

    def hand_over(self, notices: Sequence[Notice]) -> list[HandOver]: ...
    def close(self) -> None: ...


def signed(secret: bytes, name: str, at: int, body: bytes) -> str:
    """The signature of a notice (HMAC-SHA256), at a time in seconds since 1970.

    >>> signed(b"0" * 32, "msg_1", 1_700_000_000, b"{}")[:3]
    'v1,'
    """
    told = hmac.new(secret, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(told).decode()}"


def read_secret(said: str) -> bytes:
    """The bytes of a secret, `whsec_` and base64; raises `ValueError`."""
    if not said.startswith(WHSEC):
        raise ValueError(f"a secret begins with {WHSEC}")
    found = base64.b64decode(said.removeprefix(WHSEC).strip(), validate=True)
    if not 24 <= len(found) <= 64:
        raise ValueError("a secret has 24 to 64 bytes")
    return found


class Webhook:
    """Posts each notice to a URL; redirects are not followed."""

    def __init__(self, url: str, secrets: Sequence[bytes]) -> None:
        self._parts = urlsplit(url)
        self._secrets = secrets
        self._mine = threading.local()
        self._context = ssl.create_default_context()

    def hand_over(self, notices: Sequence[Notice]) -> list[HandOver]:
        """Post them one after the other, up to the first that is not taken, for a while."""
        found, end = list[HandOver](), time.monotonic() + A_WHILE
        for notice in notices:
            found.append(self._posted(notice))
            if not found[-1].is_there or time.monotonic() > end:
                break
        return found

    def close(self) -> None:
        """Connections end with their threads."""

    def _posted(self, notice: Notice) -> HandOver:
        """Trap: a connection that was idle may have been closed at the other end. Then it is asked
        once more, on a fresh one: whoever heard it twice knows it by its name.
        """
        was_used = getattr(self._mine, "connection", None) is not None
        try:
            return self._asked(notice)
        except (OSError, HTTPException) as error:
            self._hang_up()
            if not was_used or isinstance(error, TimeoutError):
                return HandOver(is_there=False, why=type(error).__name__)
        try:
            return self._asked(notice)
        except (OSError, HTTPException) as error:
            self._hang_up()
            return HandOver(is_there=False, why=type(error).__name__)

    def _asked(self, notice: Notice) -> HandOver:
        at = int(time.time())
        headers = {
            "content-type": STRUCTURED,
            "user-agent": "tierfold",
            "webhook-id": notice.id,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(
                signed(each, notice.id, at, notice.body) for each in self._secrets
            ),
        }
        connection = self._connection()
        connection.request("POST", self._target, notice.body, headers)
        answer = connection.getresponse()
        answer.read(READ)
        if answer.will_close or not answer.isclosed():
            self._hang_up()
        if 200 <= answer.status < 300:
            return HandOver(is_there=True)
        return HandOver(
            is_there=False,
            why=f"status {answer.status}",
            answered=answer.status >= 400 and answer.status not in CLOSED,
            refused=400 <= answer.status < 500 and answer.status not in {*AGAIN, *CLOSED},
            wait=min(_seconds(answer.headers.get("retry-after")), LONGEST_WAIT),
        )

    @property
    def _target(self) -> str:
        query = f"?{self._parts.query}" if self._parts.query else ""
        return f"{self._parts.path or '/'}{query}"

    def _connection(self) -> HTTPConnection:
        known: HTTPConnection | None = getattr(self._mine, "connection", None)
        if known is None:
            host, port = str(self._parts.hostname), self._parts.port
            if self._parts.scheme == "https":
                known = HTTPSConnection(host, port, timeout=PATIENCE, context=self._context)
            else:
                known = HTTPConnection(host, port, timeout=PATIENCE)
            self._mine.connection = known
        return known

    def _hang_up(self) -> None:
        if known := getattr(self._mine, "connection", None):
            known.close()
        self._mine.connection = None


def _seconds(said: str | None) -> float:
    """What `Retry-After` asks for (RFC 9110): seconds, or until a date; 0 for anything else."""
    if not said:
        return 0.0
    try:
        if said.strip().isdigit():
            return float(said)
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


class Topic:
    """Sends notices to the Kafka topic, keyed by their subjects."""

    def __init__(self, broker: Broker, shards: int) -> None:
        self._broker = broker
        self._shards = shards
        self._lock = threading.Lock()
        self._producer: KafkaProducer | None = None

    def hand_over(self, notices: Sequence[Notice]) -> list[HandOver]:
        """Send them one after the other, up to the first that the broker does not have."""
        found, end = list[HandOver](), time.monotonic() + A_WHILE
        for notice in notices:
            producer = self._connected()
            try:
                producer.send(
                    NOTICES,
                    value=notice.body,
                    key=notice.subject.encode(),
                    partition=shard_of(notice.subject, self._shards),
                    headers=[("content-type", STRUCTURED.encode())],
                ).get(timeout=SURELY_SENT)
            except KafkaError as error:
                self._hang_up(producer)
                return [*found, HandOver(is_there=False, why=type(error).__name__)]
            found.append(HandOver(is_there=True))
            if time.monotonic() > end:
                break
        return found

    def close(self) -> None:
        """Hang up; the next notice calls again."""
        if self._producer is not None:
            self._hang_up(self._producer)

    def _connected(self) -> KafkaProducer:
        with self._lock:
            self._producer = self._producer or self._broker.producer()
            return self._producer

    def _hang_up(self, producer: KafkaProducer) -> None:
        """Let a producer go, unless another one has taken its place already."""
        with self._lock:
            if self._producer is producer:
                self._producer = None
        producer.close(timeout=1)
