"""What does each process tell of its station?

Counters and times, and whether it still gets on; over HTTP, for Prometheus and for probes.
"""

import time
from socketserver import ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

REGISTRY = CollectorRegistry()
QUICK = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 4.096, 16.384)
MANY = (1, 3, 10, 30, 100, 300, 1_000, 3_000)

TAKEN = Counter(
    "tierfold_intake_messages", "Messages that this intake has taken", ["shard"], registry=REGISTRY
)
OUTCOMES = Counter(
    "tierfold_intake_events",
    "Events that this intake has dealt with, by outcome",
    ["outcome"],
    registry=REGISTRY,
)
COMMIT_SECONDS = Histogram(
    "tierfold_commit_seconds", "Time to commit a batch of events", buckets=QUICK, registry=REGISTRY
)
COMMIT_EVENTS = Histogram(
    "tierfold_commit_events", "Events in a commit", buckets=MANY, registry=REGISTRY
)
FOLDED = Counter(
    "tierfold_folded_events", "Events that this worker has folded", ["group"], registry=REGISTRY
)
FOLD_SECONDS = Histogram(
    "tierfold_fold_seconds",
    "Time to fold a batch and to save what came of it",
    ["group"],
    buckets=QUICK,
    registry=REGISTRY,
)
HEALED = Counter(
    "tierfold_healed_events",
    "Events that were read from the journal because no batch brought them",
    ["group"],
    registry=REGISTRY,
)
FOLD_FAILURES = Counter(
    "tierfold_fold_failures",
    "Batches that could not be folded; the journal heals them",
    ["group"],
    registry=REGISTRY,
)
DOUBTED_BATCHES = Counter(
    "tierfold_doubted_batches",
    "Messages on `recorded` that are not our own; the journal was read instead",
    registry=REGISTRY,
)
MERGES = Counter(
    "tierfold_merges",
    "Numbers of customers that were said to be one person's, or not to be, by type of event",
    ["type"],
    registry=REGISTRY,
)
TIER_CHANGES = Counter(
    "tierfold_tier_changes", "Changes of tier that were recorded", registry=REGISTRY
)
SCHEMES_SILENT = Gauge(
    "tierfold_schemes_silent",
    "Live schemes of which no version tells of changes of tier",
    registry=REGISTRY,
)
RESTATEMENTS_UNFINISHED = Gauge(
    "tierfold_restatements_unfinished",
    "Restatements that were promoted or rolled back and have not reached all customers",
    registry=REGISTRY,
)
NOTICES_DELIVERED = Counter(
    "tierfold_notices_delivered", "Notices handed over", ["subscriber"], registry=REGISTRY
)
NOTICES_UNDELIVERED = Counter(
    "tierfold_notices_undelivered", "Notices given up", ["subscriber"], registry=REGISTRY
)
NOTICES_WAITING = Gauge(
    "tierfold_notices_waiting",
    "Notices that are held because they are not handed over yet",
    ["subscriber"],
    registry=REGISTRY,
)
NOTICES_UNREAD = Gauge(
    "tierfold_notices_unread_logs",
    "Logs that cannot be read for a subscriber",
    ["subscriber"],
    registry=REGISTRY,
)
SUBSCRIBER_AWAY = Gauge(
    "tierfold_subscriber_away_seconds",
    "For how long a subscriber has not answered",
    ["subscriber"],
    registry=REGISTRY,
)
OWN_WORD_SET_ASIDE = Counter(
    "tierfold_own_word_set_aside",
    "Events of the bank's own that went to quarantine: a report or a decision is missing",
    registry=REGISTRY,
)
SIGNED = Gauge(
    "tierfold_checkpoint_timestamp_seconds",
    "When the head of a shard was last signed",
    ["shard"],
    registry=REGISTRY,
)
DOUBTED = Gauge(
    "tierfold_shards_doubted",
    "Shards that the notary signs no more, because they are not what they were",
    registry=REGISTRY,
)
AGE = Gauge(
    "tierfold_pulse_age_seconds", "Since this process last got on", ["process"], registry=REGISTRY
)


class Pulse:
    """When a process last got on."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self.within = 60.0
        """Seconds within which it gets on at least once, whatever there is to do."""

    def beat(self) -> None:
        """It gets on."""
        self._at = time.monotonic()

    def age(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self._at


PULSE = Pulse()


def serve(process: str, within: float, host: str, port: int) -> None:
    """Answer `/metrics` and `/healthz` from threads, for as long as the process lives.

    It is alive while it gets on `within` so many seconds.

    Raises `OSError` where the port is taken.
    """
    PULSE.within = within
    AGE.labels(process).set_function(PULSE.age)
    server = make_server(host, port, _application, _Server, _Request)
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()


def _application(environ, start_response):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - WSGI
    status, kind, body = _answer(environ["PATH_INFO"])
    start_response(status, [("content-type", kind), ("cache-control", "no-store")])
    return [body]


def _answer(path: str) -> tuple[str, str, bytes]:
    if path == "/metrics":
        return "200 OK", CONTENT_TYPE_LATEST, generate_latest(REGISTRY)
    if path != "/healthz":
        return "404 Not Found", "text/plain", b"there are /metrics and /healthz\n"
    if PULSE.age() > PULSE.within:
        return (
            "503 Service Unavailable",
            "text/plain",
            b"nothing was done for %.0f seconds\n" % PULSE.age(),
        )
    return "200 OK", "text/plain", b"ok\n"


class _Server(ThreadingMixIn, WSGIServer):
    """Whoever connects and says nothing keeps nobody waiting."""

    daemon_threads = True


class _Request(WSGIRequestHandler):
    """Probes come every few seconds: they are not logged."""

    timeout = 3

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing."""
