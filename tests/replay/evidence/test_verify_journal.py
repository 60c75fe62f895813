"""Whoever changes the journal is found out, and what they changed is named by its position,
whatever they change to hide it.
"""

import shutil
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from replay.evidence.folder import Evidence
from replay.evidence.notary import Book, Busy, Notary
from replay.evidence.signed_note import Signer
from replay.evidence.verify_journal import Difference, differences, journal_held
from streams.broker.routing import shard_of
from streams.journal import Arrival, Journal, Leaf, LogOffset
from streams.journal.merkle import leaf_hash
from streams.sources.synth import Bank, synth
from tests.conftest import NOON
from tests.sizes import sized

EVENTS = sized(2_000, 10_000)
MIDDLE = EVENTS // 2
LEFT = EVENTS * 9 // 10
SIGNER = Signer("bank.example", b"\7" * 32)


def vouch(journal: Journal, evidence: Path) -> None:
    """Sign all that is there."""
    assert (
        Notary(journal, evidence, SIGNER.name, SIGNER, None, 1_000_000, timedelta(days=1)).sign()
        == {}
    )


def fill(folder: Path, upto: int, *, begun: int = 0) -> Journal:
    """The first events of a synthetic bank, in one shard, a commit for each few hundred."""
    journal = Journal(f"sqlite://{folder}", 1)
    events = [
        event
        for event in synth(Bank(160, 8, 1))
        if shard_of(event.stream, 1) == 0 and event.stream != "bank"
    ][begun:upto]
    journal[0].claim()
    for start in range(0, len(events), 300):
        arrivals = [
            Arrival(0, number, b"", event)
            for number, event in enumerate(events[start : start + 300])
        ]
        journal[0].record(arrivals, LogOffset("log", begun + start), NOON)
    assert journal[0].size() == upto
    return journal


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a journal, and its evidence."""
    folder = tmp_path_factory.mktemp("sound")
    journal = fill(folder / "journal", EVENTS)
    vouch(journal, folder / "evidence")
    journal.close()
    return folder


def held(folder: Path, evidence: Path | None = None) -> list[tuple[str, str, str]]:
    """What is found of a journal."""
    journal = Journal(f"sqlite://{folder}/journal", 1)
    seen = list(
        journal_held(
            journal[0],
            Evidence(evidence or folder / "evidence", 0),
            f"{SIGNER.name}/shard/0",
            [SIGNER.public],
        )
    )
    journal.close()
    return [
        (finding.kind, finding.where, finding.said) for each in seen for finding in each.findings
    ]


def attack(sound: Path, folder: Path, *statements: str) -> Path:
    """A copy of the journal, changed by somebody who has the file."""
    shutil.copytree(sound, folder, dirs_exist_ok=True)
    change(folder, *statements)
    return folder


def change(folder: Path, *statements: str) -> None:
    """What somebody does who takes the triggers away first."""
    with sqlite3.connect(folder / "journal" / "shard-0.db") as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)
    database.close()


def test_what_is_sound_is_found_sound(sound: Path) -> None:
    """No finding at all."""
    assert held(sound) == []


def edit(at: int) -> list[str]:
    """One byte of an event."""
    return [
        "UPDATE stored_events SET state = CAST(replace(CAST(state AS TEXT), 'business_date', "
        f"'business-date') AS BLOB) WHERE rowid = {at}"
    ]


def delete(at: int) -> list[str]:
    """An event that is gone."""
    return [f"DELETE FROM stored_events WHERE rowid = {at}"]


def insert(at: int) -> list[str]:
    """An event more; those behind it move on by one."""
    return [
        f"UPDATE stored_events SET rowid = -rowid - 1 WHERE rowid > {at}",
        "UPDATE stored_events SET rowid = -rowid WHERE rowid < 0",
        "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state) "
        f"VALUES ({at + 1}, 'customer:x', 1, 'x', '{{}}')",
    ]


def swap(at: int) -> list[str]:
    """Two events that change places."""
    other = at % EVENTS + 1
    return [
        f"UPDATE stored_events SET rowid = -1 WHERE rowid = {at}",
        f"UPDATE stored_events SET rowid = {at} WHERE rowid = {other}",
        f"UPDATE stored_events SET rowid = {other} WHERE rowid = -1",
    ]


def reorder(at: int) -> list[str]:
    """An event that is moved behind the three that follow it."""
    return [
        f"UPDATE stored_events SET rowid = -1 WHERE rowid = {at}",
        *(
            f"UPDATE stored_events SET rowid = {number - 1} WHERE rowid = {number}"
            for number in range(at + 1, at + 4)
        ),
        f"UPDATE stored_events SET rowid = {at + 3} WHERE rowid = -1",
    ]


TAMPERING: dict[str, tuple[Callable[[int], list[str]], Callable[[int], tuple[str, str]]]] = {
    "edited": (edit, lambda at: (f"position {at}", "was edited")),
    "deleted": (delete, lambda at: (f"position {at}", "was deleted")),
    "inserted": (insert, lambda at: (f"position {at + 1}", "was inserted")),
    "swapped": (
        swap,
        lambda at: (
            f"position {min(at, at % EVENTS + 1)}",
            f"holds what was recorded at position {max(at, at % EVENTS + 1)}",
        ),
    ),
    "reordered": (
        reorder,
        lambda at: (
            f"positions {at} to {at + 2}",
            f"holds what was recorded at positions {at + 1} to {at + 3}",
        ),
    ),
}


@pytest.mark.parametrize("how", TAMPERING)
def test_an_event_that_is_tampered_with_in_the_database_is_named(
    sound: Path, tmp_path: Path, how: str
) -> None:
    """At the first, the last and some other positions of ten thousand, in the file itself."""
    tamper, named = TAMPERING[how]
    for at in [1, 2, EVENTS - 4, *Random(how).sample(range(3, EVENTS - 4), 12)]:
        kind, where, said = held(attack(sound, tmp_path, *tamper(at)))[0]
        assert (kind, where, said) == ("event", *named(at))


def test_every_event_of_ten_thousand_is_named_whatever_is_done_to_it() -> None:
    """Five kinds of tampering at each position: fifty thousand in all.

    Positions have gaps, as PostgreSQL leaves them.
    """
    vouched = [Leaf(2 * number, leaf_hash(b"%d" % number)) for number in range(1, EVENTS + 1)]
    other, chance, missed = leaf_hash(b"other"), Random(1), list[tuple[str, int]]()
    for index, (position, own) in enumerate(vouched):
        far = (index + chance.randrange(1, 40)) % EVENTS
        low, high = sorted((index, far))
        swapped, moved = vouched.copy(), [leaf.hash for leaf in vouched[low : high + 1]]
        swapped[low], swapped[high] = (
            Leaf(vouched[low].position, vouched[high].hash),
            Leaf(vouched[high].position, vouched[low].hash),
        )
        rolled = [
            Leaf(leaf.position, hash_)
            for leaf, hash_ in zip(vouched[low : high + 1], [*moved[1:], moved[0]], strict=True)
        ]
        found = {
            "edited": (
                [*vouched[:index], Leaf(position, other), *vouched[index + 1 :]],
                [Difference(position, position, "was edited")],
            ),
            "deleted": (
                [*vouched[:index], *vouched[index + 1 :]],
                [Difference(position, position, "was deleted")],
            ),
            "inserted": (
                [*vouched[: index + 1], Leaf(position + 1, other), *vouched[index + 1 :]],
                [Difference(position + 1, position + 1, "was inserted")],
            ),
            "swapped": (
                swapped,
                [
                    Difference(
                        vouched[one].position,
                        vouched[one].position,
                        f"holds what was recorded at position {vouched[two].position}",
                    )
                    for one, two in ((low, high), (high, low))
                ],
            ),
        }
        missed += [
            (how, position)
            for how, (changed, expected) in found.items()
            if differences(vouched, changed) != expected
        ]
        named = {
            at
            for each in differences(vouched, [*vouched[:low], *rolled, *vouched[high + 1 :]])
            for at in range(each.first, each.last + 1, 2)
        }
        missed += (
            [("reordered", position)]
            if named != {leaf.position for leaf in vouched[low : high + 1]}
            else []
        )
        assert own != other

    assert missed == []


def test_a_tail_that_is_cut_off_after_a_checkpoint_is_named(sound: Path, tmp_path: Path) -> None:
    """From the first that is gone to the last, even where the journal's own tree is cut
    off with it.
    """
    for kept in (EVENTS - 1, EVENTS - 2, EVENTS * 9 // 10, EVENTS // 2, 0):
        first = f"position {EVENTS}" if kept == EVENTS - 1 else f"positions {kept + 1} to {EVENTS}"
        found = held(attack(sound, tmp_path, f"DELETE FROM stored_events WHERE rowid > {kept}"))
        assert found[0] == ("event", first, "was deleted")
        found = held(
            attack(
                sound,
                tmp_path,
                f"DELETE FROM stored_events WHERE rowid > {kept}",
                f"DELETE FROM leaves WHERE size > {kept}",
            )
        )
        assert found[0] == ("event", first, "was deleted")


def test_whoever_changes_the_journals_own_tree_too_is_found_out_by_the_evidence(
    sound: Path, tmp_path: Path
) -> None:
    """An event edited, and the hash that intake kept of it made to fit."""
    attack(sound, tmp_path, *edit(MIDDLE))
    with sqlite3.connect(tmp_path / "journal" / "shard-0.db") as database:
        [(state,)] = database.execute(
            "SELECT state FROM stored_events WHERE rowid = ?", (MIDDLE,)
        ).fetchall()
        size, first, hashes = database.execute(
            "SELECT * FROM leaves WHERE first_position <= ? ORDER BY first_position DESC LIMIT 1",
            (MIDDLE,),
        ).fetchone()
        at = (MIDDLE - first) * 32
        database.execute(
            "UPDATE leaves SET hashes = ? WHERE size = ?",
            (hashes[:at] + leaf_hash(state) + hashes[at + 32 :], size),
        )
    database.close()

    assert {
        ("event", f"position {MIDDLE}", "was edited"),
        ("tree", f"position {MIDDLE}", "was edited"),
    } <= set(held(tmp_path))


def test_evidence_that_is_changed_does_not_come_to_what_was_signed(
    sound: Path, tmp_path: Path
) -> None:
    """Nor does a checkpoint whose text is changed have its signature."""
    attack(sound, tmp_path)
    leaves, checkpoints = (
        tmp_path / "evidence" / "shard-0" / "leaves",
        tmp_path / "evidence" / "shard-0" / "checkpoints",
    )
    said = leaves.read_bytes()
    leaves.write_bytes(said[:8] + b"\0" + said[9:])
    found = held(tmp_path)
    leaves.write_bytes(said)
    checkpoints.write_text(checkpoints.read_text().replace(f"\n{EVENTS}\n", f"\n{EVENTS - 1}\n"))

    assert [(kind, said) for kind, _, said in found] == [
        ("event", "was edited"),
        ("tree", "was edited"),
        ("checkpoint", "is not what the evidence comes to"),
    ]
    assert held(tmp_path) == [
        ("checkpoint", "checkpoint 1", "the signature of bank.example is not over this text")
    ]


def test_a_checkpoint_of_more_than_there_is_left_is_named(sound: Path, tmp_path: Path) -> None:
    """Journal and evidence cut off alike, but not what was signed."""
    attack(
        sound,
        tmp_path,
        f"DELETE FROM stored_events WHERE rowid > {LEFT}",
        f"DELETE FROM leaves WHERE size > {LEFT}",
    )
    leaves = tmp_path / "evidence" / "shard-0" / "leaves"
    leaves.write_bytes(leaves.read_bytes()[: LEFT * 40])
    [(kind, where, said)] = held(tmp_path)

    assert (kind, said) == (
        "checkpoint",
        f"is of {EVENTS} events, and neither the journal nor the evidence has them",
    )
    assert where.startswith("checkpoint 1 of ")


def test_a_notary_signs_nothing_that_was_changed_since_it_was_appended(tmp_path: Path) -> None:
    """It says which position, and goes on signing nothing for this shard.

    What was signed before still stands.
    """
    journal = fill(tmp_path / "journal", 600)
    vouch(journal, tmp_path / "evidence")
    fill(tmp_path / "journal", 1_200, begun=600).close()
    journal.close()
    change(tmp_path, *edit(900))
    changed = Journal(f"sqlite://{tmp_path}/journal", 1)
    notary = Notary(changed, tmp_path / "evidence", SIGNER.name, SIGNER, None, 1, timedelta(0))

    assert notary.sign() == {0: "position 900 was edited since it was appended"}
    assert notary.sign() == {0: "position 900 was edited since it was appended"}
    assert Evidence(tmp_path / "evidence", 0).size() == 600
    assert held(tmp_path)[0] == ("event", "position 900", "was edited")


def test_a_notary_goes_on_where_another_stopped_and_two_at_once_are_refused(tmp_path: Path) -> None:
    """Checkpoints of both are of one tree; what a crash left half written is written over."""
    journal = fill(tmp_path / "journal", 600)
    vouch(journal, tmp_path / "evidence")
    evidence = tmp_path / "evidence" / "shard-0"
    with (
        (evidence / "leaves").open("ab") as leaves,
        (evidence / "checkpoints").open("ab") as checkpoints,
    ):
        leaves.write(b"half a leaf")
        checkpoints.write(b"half a checkpoint\n")
    fill(tmp_path / "journal", 1_200, begun=600).close()
    vouch(journal, tmp_path / "evidence")
    one, two = (
        Notary(journal, tmp_path / "evidence", SIGNER.name, SIGNER, None, 1, timedelta(0))
        for _ in range(2)
    )
    with one._alone(), pytest.raises(Busy):
        two.sign()

    assert len(Evidence(tmp_path / "evidence", 0).checkpoints()) == 2
    assert Evidence(tmp_path / "evidence", 0).size() == 1_200
    assert held(tmp_path) == []


def test_a_census_is_taken_every_day_and_whenever_a_shard_has_doubled(tmp_path: Path) -> None:
    """A young bank's customers are counted on its first day too.

    An old one's are not counted every minute.
    """
    counts = []
    for begun, upto, day in (
        (0, 100, 0),
        (100, 150, 0),
        (150, 200, 0),
        (200, 399, 0),
        (399, 400, 0),
        (400, 401, 1),
    ):
        journal = fill(tmp_path / "journal", upto, begun=begun)
        book = Book(journal[0], tmp_path / "evidence", SIGNER.name, SIGNER)
        note = book.look(force=True, events=1, every=timedelta(0), now=NOON + timedelta(days=day))
        assert note is not None
        book.keep(note)
        book.count(NOON + timedelta(days=day), force=False)
        counts.append(len(Evidence(tmp_path / "evidence", 0).censuses()))
        journal.close()

    assert counts == [1, 1, 2, 2, 3, 4]
