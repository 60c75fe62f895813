"""Every shape ever written can be read, and says the same."""

from pathlib import Path

import msgspec
import pytest

from domain.event_types import EVENT_BY_TYPE
from streams.journal import decode
from streams.journal.codec import canonical, head
from streams.journal.sealing import closed

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


def type_of(path: Path) -> str:
    """The type of a golden payload: a type may have several, `name.vN.shape.json`."""
    return ".".join(path.stem.split(".")[:2])


@pytest.mark.parametrize("event_type", EVENT_BY_TYPE)
def test_every_type_has_a_golden_payload(event_type: str) -> None:
    """A new type, or a new version of one, comes with the bytes that it is stored as."""
    assert event_type in set(map(type_of, GOLDEN))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_payload_reads_and_is_written_the_same(path: Path) -> None:
    """Whoever changes a shape without a new version breaks history, and this."""
    stored = path.read_bytes().rstrip(b"\n")
    event = decode(7, stored)
    again = event.proposed()

    assert event.position == 7
    if type_of(path) in EVENT_BY_TYPE:
        assert (
            closed(head(again, event.version, event.recorded_at, None), canonical(again)) == stored
        )


def test_stored_bytes_name_no_code() -> None:
    """A file may move: the stored type is our own name."""
    for path in GOLDEN:
        assert msgspec.json.decode(path.read_bytes())["type"] == type_of(path)
