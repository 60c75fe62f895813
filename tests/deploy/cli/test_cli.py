"""The command line, as people and machines use it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.operations.field_words import FIELDS
from deploy.policy_files import read_catalogue
from domain.customers.events import CustomerOnboarded
from domain.envelope import Recorded
from domain.event import is_own_word
from domain.event_types import EVENT_BY_TYPE
from domain.tiering.policy import TierPolicy
from projections.views.history import customers_under
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import (
    TIERFOLD,
    Running,
    environment_of,
    proposed,
    run_command,
    settings_in,
)


def tierfold(*words: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command that needs no stack."""
    return subprocess.run([*TIERFOLD, *words], capture_output=True, timeout=120, check=False)


def test_the_same_seed_gives_the_same_bytes() -> None:
    """A synthetic bank can be made again."""
    words = ("synth", "--customers", "50", "--months", "2")
    first, same, other = tierfold(*words), tierfold(*words), tierfold(*words, "--seed", "2")

    assert first.returncode == 0
    assert first.stdout == same.stdout != other.stdout


@pytest.mark.parametrize("months", [1, 6])
def test_two_in_a_hundred_hold_eighty_two_percent(bohai: TierPolicy, months: int) -> None:
    """The published shape of a bank's customers, in what is folded from the events, and still so
    after half a year.
    """
    group = customers_under([bohai])
    states: dict[str, Any] = {}
    for position, event in enumerate(synth(Bank(customers=1000, months=months, seed=1)), start=1):
        if event.stream.startswith("customer:"):
            at = Recorded(
                position,
                event.stream,
                position,
                "s",
                event.id,
                event.occurred_at,
                event.business_date,
                event.occurred_at,
                None,
                event.data,
            )
            states[event.stream] = group.evolve(states.get(event.stream, group.initial), at)
    held = sorted(
        sum(account.balance for account in state.facts.ledger.accounts.values())
        for state in states.values()
    )

    assert 78 <= 100 * sum(held[-20:]) / sum(held) <= 86


def test_schemas_are_written_for_every_type(tmp_path: Path) -> None:
    """JSON Schema and AsyncAPI, from the models themselves."""
    assert tierfold("schema", str(tmp_path)).returncode == 0
    document = yaml.safe_load((tmp_path / "asyncapi.yaml").read_text())
    schema = json.loads((tmp_path / "transaction-posted.v1.json").read_text())

    assert document["asyncapi"] == "3.0.0"
    own = {path.stem for path in (tmp_path / "own").glob("*.json")}
    people = {"tier-policy.schema", "precedence.schema", "catalogue.schema"}
    assert {path.stem for path in tmp_path.glob("*.json")} == ({*EVENT_BY_TYPE} - own) | people
    assert own == {name for name, event in EVENT_BY_TYPE.items() if is_own_word(event)}
    assert document["components"]["messages"].keys() == {
        name.replace(".", "-") for name in EVENT_BY_TYPE.keys() - own
    }
    assert {"measures", "tiers", "scope"} <= json.loads(
        (tmp_path / "tier-policy.schema.json").read_text()
    )["properties"].keys()
    assert schema["properties"]["type"] == {"const": "tierfold.transaction-posted.v1"}
    assert set(schema["properties"]["data"]["required"]) == {
        "transaction",
        "account",
        "amount",
        "currency",
        "kind",
    }


def test_every_field_that_a_sender_writes_is_explained(tmp_path: Path) -> None:
    """In the schema of its event; and nothing is explained that there is not."""
    assert tierfold("schema", str(tmp_path)).returncode == 0
    fields = {
        (path.name.partition(".")[0], name): said.get("description")
        for path in tmp_path.glob("*.v*.json")
        for name, said in json.loads(path.read_text())["properties"]["data"]["properties"].items()
    }

    assert not [field for field, said in fields.items() if not said]
    assert {*FIELDS} <= {name for _, name in fields} | {".".join(field) for field in fields}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("feed",), "name a FILE"),
        (("feed", "/nowhere/at/all.jsonl"), "/nowhere/at/all.jsonl"),
        (("quarantine", "show", "x"), "SHARD/NUMBER"),
        (("feed", "--berka", "/nowhere"), "/nowhere"),
    ],
)
def test_a_wrong_command_says_what_to_do(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """A sentence, exit code 2, no traceback."""
    done = subprocess.run(
        [*TIERFOLD, *words],
        env=environment_of(settings_in(tmp_path)),
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert said in done.stderr.decode().replace("\n", "")
    assert "Traceback" not in done.stderr.decode()


def test_a_broken_policy_file_is_named_with_the_place(tmp_path: Path) -> None:
    """A tier owner can act on the error."""
    broken = tmp_path / "policy.yaml"
    broken.write_text("policy: x\nversion: none\n")
    environment = {**environment_of(settings_in(tmp_path)), "TIERFOLD_POLICY": str(broken)}
    done = subprocess.run(
        [*TIERFOLD, "digest"], env=environment, capture_output=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert f"{broken} cannot be used" in done.stderr.decode()
    assert "version: a whole number is meant" in done.stderr.decode()


def test_a_second_stack_in_the_same_folder_is_refused(stack: Running) -> None:
    """Two supervisors on one journal would be one too many."""
    done = stack.run("up")

    assert done.returncode == 2
    assert "another stack is running" in done.stderr.decode()


def test_standard_input_is_fed_as_it_comes(stack: Running) -> None:
    """`feed -` sends what it has, without waiting for the end."""
    import time

    command = [*TIERFOLD, "feed", "-", "--json"]
    feeding = subprocess.Popen(
        command, env=environment_of(stack.settings), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert feeding.stdin is not None
    feeding.stdin.write(
        write(proposed(CustomerOnboarded(source="web"), "by-stdin", "customer:stdin")) + b"\n"
    )
    feeding.stdin.flush()
    deadline = time.monotonic() + 30
    while stack.client.get("/v1/customers/stdin").status_code != 200:
        assert time.monotonic() < deadline, "what was fed is not readable while the input is open"
        time.sleep(0.1)
    out, _ = feeding.communicate(timeout=30)

    assert feeding.returncode == 0
    assert json.loads(out)["sent"] == 1


def test_a_broken_catalogue_is_named_with_the_place(tmp_path: Path) -> None:
    """Before anything starts, every fault at once."""
    broken = tmp_path / "offers.yaml"
    broken.write_text(
        "catalogue: retail\nversion: 1\ncurrency: CNY\noffers:\n  - {offer: fund, name: {en: "
        "Fund}, value: -1, risk: R9}\n"
    )
    environment = {**environment_of(settings_in(tmp_path)), "TIERFOLD_CATALOGUE": str(broken)}
    done = subprocess.run(
        [*TIERFOLD, "up"], env=environment, capture_output=True, timeout=60, check=False
    )

    assert done.returncode == 2
    assert b"offers[0].value: Input should be greater than or equal to 0" in done.stderr
    assert b"offers[0].risk.issuer: Input should be 'R1'" in done.stderr


def test_an_empty_catalogue_is_one(tmp_path: Path) -> None:
    """A bank that offers nothing may say so."""
    empty = tmp_path / "offers.yaml"
    empty.write_text("catalogue: none\nversion: 1\ncurrency: CNY\noffers: []\n")

    assert read_catalogue(empty).offers == ()


def test_a_part_of_the_bench_that_is_not_there_is_named_beside_those_that_are() -> None:
    """Before anything is measured."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.bench", "fold", "speed"], capture_output=True, check=False
    )

    assert done.returncode == 2
    assert b"there is no part speed: choose from ingest, fold," in done.stderr


@pytest.mark.parametrize(
    ("terminal", "help_", "fault"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "检查规则", "  currency: 必填"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "Check a policy", "currency: Field"),
    ],
)
def test_the_command_line_speaks_the_language_of_the_terminal(
    tmp_path: Path, terminal: dict[str, str], help_: str, fault: str
) -> None:
    """Its help, and what is wrong with what it was given; the first variable that is set counts."""
    settings, path = settings_in(tmp_path), tmp_path / "rule.yaml"
    path.write_text("policy: x\nversion: 1\ntiers: []\n", encoding="utf-8")
    where = {**environment_of(settings), "LC_ALL": "", "LC_MESSAGES": "", **terminal}

    asked = run_command(("policy", "check", "--help"), where)
    refused = run_command(("policy", "check", str(path)), where)

    assert help_ in asked.stdout.decode()
    assert refused.returncode == 2
    assert fault in refused.stderr.decode()
