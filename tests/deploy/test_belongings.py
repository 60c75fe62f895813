"""What must be there is not made anew when it is gone: the start is refused, and says what to put
back.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.keys import NOTARY, signer_of
from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import journal_of, keyring_of, notary_of, whole_journal
from domain.customers.events import CustomerOnboarded
from streams.journal import Arrival, LogOffset
from streams.keyring import NoKey
from tests.conftest import NOON, environment_of, proposed, run_command, settings_in


@pytest.fixture
def bank(tmp_path: Path) -> Settings:
    """A bank with a customer, whose first day is over, and another who was forgotten."""
    settings = settings_in(tmp_path)
    journal = journal_of(settings)
    for shard in journal:
        shard.claim()
    event = proposed(CustomerOnboarded(source="branch"), "1", "customer:1")
    journal[0].record([Arrival(0, 0, b"", event)], LogOffset("log", 0), NOON)
    signer_of(settings, NOTARY)
    notary_of_is_made(settings)
    journal.close()
    return settings


def notary_of_is_made(settings: Settings) -> None:
    """The notary's folder, as its first start makes it."""
    settings.evidence_dir.mkdir(parents=True)
    (settings.evidence_dir / "shard-0").mkdir()


def forget_one(settings: Settings) -> None:
    """Destroy a key without a register."""
    keyring_of(settings).destroy(["customer:2"])


def another_vault(settings: Settings) -> None:
    """The keys of another bank, with a customer of the same number."""
    vault = Path(settings.vault_url.removeprefix("sqlite://"))
    shutil.rmtree(vault.parent)
    keyring_of(settings).get_or_create(["customer:1"])


GONE: dict[str, tuple[Callable[[Settings], object], Callable[[Settings], object], str]] = {
    "the master key": (
        lambda settings: settings.master_file.unlink(),
        keyring_of,
        "the master key is gone",
    ),
    "the database of keys": (
        lambda settings: shutil.rmtree(Path(settings.vault_url.removeprefix("sqlite://")).parent),
        whole_journal,
        "TIERFOLD_VAULT",
    ),
    "both": (
        lambda settings: (
            shutil.rmtree(Path(settings.vault_url.removeprefix("sqlite://")).parent),
            settings.master_file.unlink(missing_ok=True),
        ),
        whole_journal,
        "TIERFOLD_VAULT",
    ),
    "the database of another bank": (another_vault, whole_journal, "sealed by other keys"),
    "the register of erasures": (forget_one, whole_journal, "who was forgotten is gone"),
    "the evidence": (
        lambda settings: shutil.rmtree(settings.evidence_dir),
        notary_of,
        "the evidence that this notary has signed is gone",
    ),
    "the notary's key": (
        lambda settings: (settings.keys_dir / NOTARY).unlink(),
        notary_of,
        "the key that signed the evidence is gone",
    ),
}


@pytest.mark.parametrize("what", GONE)
def test_what_is_gone_is_said_and_not_made_anew(bank: Settings, what: str) -> None:
    """With what to put back, and no customer's number."""
    lose, start, said = GONE[what]
    lose(bank)

    with pytest.raises(UserError, match=said) as refused:
        start(bank)

    assert "customer:1" not in str(refused.value)


def test_a_whole_bank_starts(bank: Settings) -> None:
    """The journal, its keys, and the notary."""
    assert len(list(whole_journal(bank))) == bank.shards
    assert notary_of(bank) is not None


def test_another_number_of_shards_is_refused_at_once(bank: Settings) -> None:
    """By the command itself, with the sentence, before anything runs."""
    other = bank.model_copy(update={"shards": bank.shards * 2})

    done = run_command(["up"], environment_of(other), timeout=60)

    assert done.returncode == 2
    assert b"TIERFOLD_SHARDS is fixed once there is data" in done.stderr
    assert b"is up" not in done.stderr


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("evidence", "the evidence that this notary has signed is gone"),
        ("key", "the key that signed the evidence is gone"),
        ("zone", "TIERFOLD_TIMEZONE"),
    ],
)
def test_a_stack_is_not_up_without_what_it_needs(bank: Settings, lost: str, said: str) -> None:
    """Its own command says so at once: no child goes on failing behind it."""
    environment = environment_of(bank)
    match lost:
        case "evidence":
            shutil.rmtree(bank.evidence_dir)
        case "key":
            (bank.keys_dir / NOTARY).unlink()
        case _:
            environment["TIERFOLD_TIMEZONE"] = "Mars/Olympus"

    done = run_command(["up"], environment, timeout=60)

    assert done.returncode == 2
    assert said.encode() in done.stderr
    assert b"is up" not in done.stderr + done.stdout


def test_an_older_vault_is_refused_before_the_shard_is_claimed(
    bank: Settings, tmp_path: Path
) -> None:
    """Nobody gets a second key, and whoever owns the shard goes on."""
    vault = Path(bank.vault_url.removeprefix("sqlite://"))
    backup = tmp_path / "older"
    shutil.copytree(vault.parent, backup)
    owner = journal_of(bank)
    owner[0].claim()
    late = proposed(CustomerOnboarded(source="branch"), "2", "customer:1000")
    owner[0].record([Arrival(1, 0, b"", late)], LogOffset("log", 1), NOON)
    last = vault.parent.rename(tmp_path / "newer")
    backup.rename(vault.parent)

    with pytest.raises(NoKey, match="TIERFOLD_VAULT"):
        journal_of(bank)[0].claim()

    vault.parent.rename(tmp_path / "older again")
    last.rename(vault.parent)
    again = proposed(CustomerOnboarded(source="branch"), "3", "customer:1000")
    commit = owner[0].record([Arrival(2, 0, b"", again)], LogOffset("log", 2), NOON)
    assert commit.counts.recorded == 1
