"""How is a file fed into the front door of these settings?"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from deploy.settings import Settings
from deploy.wiring import journal_of, producer_of
from streams.journal import Counts
from streams.publish.bulk_feed import feed, lines, written
from streams.sources.berka import berka


def sources(file: str | None, folder: Path | None) -> Iterable[bytes | None]:
    """The events of a file of CloudEvents, or of the Berka bank's folder."""
    return written(berka(folder)) if folder else lines(file or "-")


def feed_all(
    settings: Settings, raws: Iterable[bytes | None], advance: Callable[[int], None]
) -> dict[str, Any]:
    """Send everything, wait until it is safe, and report: events, seconds, events per second.

    Where safe means journalled, the report also says what became of all that arrived in the
    meantime.
    """
    journal = journal_of(settings)
    before = Counts() if settings.broker_keeps else journal.counts()
    started = time.monotonic()
    with producer_of(settings, journal) as producer:
        parts = feed(raws, producer, settings.shards, advance)
    seconds = time.monotonic() - started
    report = {
        "sent": parts.sent,
        "unsendable": parts.unsendable,
        "seconds": round(seconds, 3),
        "events_per_second": round(parts.sent / seconds),
    }
    return report if settings.broker_keeps else {**report, **_outcomes(before, journal.counts())}


def _outcomes(before: Counts, after: Counts) -> dict[str, int]:
    names = ("recorded", "already", "quarantined", "refused")
    return {name: getattr(after, name) - getattr(before, name) for name in names}
