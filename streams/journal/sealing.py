"""How is what an event says closed to all but those who have its subject's key?

Sealed behind its head, and bound to it.

The head of the stored bytes (type, stream, version, source, times, the hash of the event before)
stays in the clear: an event can be proven, ordered and counted by whoever cannot read it. It is the
associated data of the seal, so a body that is moved behind another head does not open.
"""

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Sequence

from streams.journal.codec import version_of
from streams.journal.rows import FORGOTTEN, Row
from streams.keyring import Key, Keyring

SEALED, DATA = b'"sealed":"', b'"data":'
ABOUT = b'"about":"'


def place_of(stream: str, version: int) -> str:
    """Where an event is in its stream, as its salt is named."""
    return f"{stream}/{version}"


def closed(head: bytes, data: bytes, key: Key | None = None) -> bytes:
    """The stored bytes of an event: its head, and what it says, sealed if there is a key for it."""
    if key is None:
        return head + DATA + data + b"}"
    return head + SEALED + b64encode(key.seal(data, head)) + b'"}'


def is_sealed(row: Row) -> bool:
    """Whether what an event says is closed."""
    return SEALED in row.state


def subjects_of(sealed: Sequence[Row]) -> set[str]:
    """With whose keys sealed rows are closed."""
    return {_subject(row, row.state.rfind(SEALED)) for row in sealed}


def opened(rows: Sequence[Row], keyring: Keyring | None, *, at_the_door: bool = False) -> list[Row]:
    """Rows whose bytes can be decoded.

    In the place of those whose subject was forgotten, rows that say so and nothing else; and of
    those whose subject is restricted, but for who judges what comes `at_the_door`.

    Raises `ValueError` for bytes that were not sealed so, and `NoKey` where the keys are not those
    of this journal.
    """
    places = [row.state.rfind(SEALED) for row in rows]
    subjects = [
        None if place < 0 else _subject(row, place) for row, place in zip(rows, places, strict=True)
    ]
    wanted = {subject for subject in subjects if subject is not None}
    if not wanted:
        return list(rows)
    if keyring is None:
        raise ValueError("these events are sealed, and there are no keys at hand")
    keys = keyring.to_seal(wanted) if at_the_door else keyring.get(wanted)
    return [
        row if subject is None else _open(row, place, keys[subject])
        for row, place, subject in zip(rows, places, subjects, strict=True)
    ]


def payloads(rows: Sequence[Row], keyring: Keyring | None) -> list[tuple[bytes, bytes] | None]:
    """What sealed events say, and the salts by which that can be checked against their heads.

    None for all others, and what was forgotten.
    """
    plain = opened(rows, keyring)
    if keyring is None:
        return [None] * len(rows)
    places = [row.state.rfind(SEALED) for row in rows]
    return [
        None
        if place < 0 or open_.event_type == FORGOTTEN
        else (open_.state[place + len(DATA) : -1], _salt(row, place, keyring))
        for row, open_, place in zip(rows, plain, places, strict=True)
    ]


def _salt(row: Row, place: int, keyring: Keyring) -> bytes:
    subject = _subject(row, place)
    key = keyring.get([subject])[subject]
    assert key is not None
    return key.salt(place_of(row.stream, version_of(row.state)))


def _open(row: Row, place: int, key: Key | None) -> Row:
    if key is None:
        return Row(row.position, FORGOTTEN, FORGOTTEN, b"")
    head = row.state[:place]
    try:
        said = key.open(a2b_base64(row.state[place + len(SEALED) : -2]), head)
    except ValueError as error:
        raise ValueError(
            f"the event at position {row.position} cannot be opened: {error}"
        ) from error
    return Row(row.position, row.stream, row.event_type, head + DATA + said + b"}")


def _subject(row: Row, place: int) -> str:
    """Whose key an event is sealed with: that of its stream, or of somebody whom its head names."""
    if row.stream.startswith("customer:"):
        return row.stream
    at = row.state.find(ABOUT, 0, place)
    return (
        row.stream
        if at < 0
        else row.state[at + len(ABOUT) : row.state.index(b'"', at + len(ABOUT))].decode()
    )
