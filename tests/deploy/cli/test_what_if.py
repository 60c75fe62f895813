"""Trying rules from the command line: what a tier owner reads, also when something is wrong."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.policy_files import BadFile, read_policy
from deploy.settings import POLICIES
from domain.accounts.monthly_facts import Traits
from replay.what_if.columns import columns_of
from replay.what_if.snapshot import keep_columns
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import NOON, TIERFOLD, Running
from tests.domain.accounts.months import month

LIVE = POLICIES / "tiers" / "bohai-retail.yaml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with the facts of three customers, and no service running."""
    months = [month("2026-01", yuan) for yuan in (10_000, 180_000, 250_000)]
    keep_columns(
        columns_of((f"customer:{number}", [facts]) for number, facts in enumerate(months)),
        tmp_path / "facts",
        NOON,
    )
    return tmp_path


def candidate(folder: Path, **changes: object) -> Path:
    """The live rule with something changed."""
    path = folder / "candidate.yaml"
    path.write_text(
        yaml.safe_dump(
            {**yaml.safe_load(LIVE.read_text(encoding="utf-8")), **changes}, allow_unicode=True
        ),
        encoding="utf-8",
    )
    return path


def lower_gold() -> list[dict[str, object]]:
    """The live tiers, with gold from 150,000 yuan on."""
    tiers: list[dict[str, object]] = yaml.safe_load(LIVE.read_text(encoding="utf-8"))["tiers"]
    tiers[2]["reach"] = {"quantity": "assets", "at_least": 15_000_000}
    return tiers


def what_if(folder: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    """Ask."""
    command = [*TIERFOLD, "replay", "what-if", *map(str, words), "--data-dir", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_who_moves_is_answered_from_kept_facts_alone(folder: Path) -> None:
    """One JSON document for machines: the matrix, the movers and the digest."""
    answer = what_if(folder, candidate(folder, version=2, tiers=lower_gold()), "--json")
    [comparison] = json.loads(answer.stdout)["comparisons"]

    assert answer.returncode == 0
    assert (comparison["up"], comparison["down"], comparison["customers"]) == (1, 0, 3)
    [mover] = comparison["movers"]
    assert (mover["customer"], mover["before"], mover["after"], mover["seen"]) == (
        "customer:1",
        "affluent",
        "gold",
        {"assets": 18_000_000},
    )
    assert mover["missing"] == ["assets 18,000,000, at least 50,000,000"]
    assert len(comparison["digest"]) == 64


def test_what_a_bank_wrote_is_shown_as_it_is(tmp_path: Path) -> None:
    """Square brackets are no markup in a terminal, angle brackets none in a report."""
    facts = [month("2026-01", 180_000, traits=Traits(region="[/north] <b>"))]
    keep_columns(columns_of([("customer:[x]", facts)]), tmp_path / "facts", NOON)
    answer = what_if(
        tmp_path, candidate(tmp_path, version=2, tiers=lower_gold()), "--html", tmp_path / "r.html"
    )
    report = (tmp_path / "r.html").read_text(encoding="utf-8")

    assert answer.returncode == 0, answer.stderr
    assert "[/north] <b>" in answer.stdout
    assert "customer:[x]" in answer.stdout
    assert "[/north] &lt;b&gt;" in report


def test_a_folder_without_a_journal_is_named_and_left_alone(tmp_path: Path) -> None:
    """A mistyped folder is not a bank of nobody."""
    for words in (("what-if", str(LIVE), "--from-journal"), ("explain", "1"), ("as-of", "1")):
        answer = subprocess.run(
            [*TIERFOLD, "replay", *words, "--data-dir", str(tmp_path / "x")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

        assert answer.returncode == 2
        assert "there is no journal in" in " ".join(answer.stderr.split())
    assert not (tmp_path / "x").exists()


def test_over_http_the_answer_is_that_of_the_command(own_stack: Running, tmp_path: Path) -> None:
    """The same comparisons by the same digests, without names.

    Without facts, or with a policy that is none, a problem that says so.
    """
    rule, other = (
        candidate(tmp_path, version=2, tiers=lower_gold()),
        POLICIES / "tiers" / "cmb-sunflower.yaml",
    )
    policies = [read_policy(path).model_dump(mode="json") for path in (rule, other)]
    early = own_stack.client.post("/v1/what-if", json=policies, timeout=60)
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(20, 2, 1)))))
    own_stack.report("feed", str(tmp_path / "bank.jsonl"))
    own_stack.settle()
    said = own_stack.report("replay", "what-if", str(rule), str(other), "--refresh")["comparisons"]
    answer = own_stack.client.post("/v1/what-if", json=policies, timeout=60)
    bad = own_stack.client.post("/v1/what-if", json=[{**policies[0], "misses_allowed": 0}])

    assert (early.status_code, early.json()["detail"][:29]) == (
        409,
        "no facts were gathered yet: g",
    )
    assert any(each["movers"] for each in said)
    assert answer.json() == [
        {**each, "movers": [{**mover, "customer": None} for mover in each["movers"]]}
        for each in said
    ]
    assert not re.search("1000[0-9][0-9]", re.sub("[0-9]{7,}", "", answer.text)), (
        "over HTTP nobody is named"
    )
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "body.0.misses_allowed")


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "a rule that cannot decide": (
        {"tiers": lower_gold()[:1] + lower_gold()[2:0:-1]},
        "tiers[1].reach: nobody could stand in gold",
    ),
    "a word that is not known": (
        {"missed_allowed": 3},
        "missed_allowed: Extra inputs are not permitted",
    ),
    "a date that is none": ({"effective": "2026-02-30"}, "effective: "),
    "a bound that is no number": (
        {
            "tiers": [
                *lower_gold()[:1],
                {**lower_gold()[1], "reach": {"quantity": "assets", "at_least": "x"}},
            ]
        },
        "tiers[1].reach.at_least: ",
    ),
    "the best of a company group": (
        {"scope": {"of": "company-group", "take": "max"}},
        "scope: the best member counts for households alone",
    ),
}


SPOILT: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is empty"),
    "another place": (b"{tiers: &all [1], measures: *all}", "say it again in full, without *"),
    "a hundred thousand parts": (b"[" + b"{a: 1}," * 40_000 + b"]", "it has too many parts"),
    "another encoding": ("name: 金卡".encode("gbk"), "save it as UTF-8"),
    "a list before a colon": (b"{[a]: 1}", "a word is meant before the colon"),
    "commas in a number": (
        b"{at_least: 200,000,000}",
        "000 is said twice (a number has no commas)",
    ),
    "a comma in a number": (b"{at_least: 2,000}", "a number has no commas (2000, not 2,000)"),
    "an amount with a point": (
        LIVE.read_bytes().replace(b"at_least: 20000000}", b"at_least: 200000.00}"),
        "200000.00 is no whole number: an amount has its unit (50000.00 CNY, 5万)",
    ),
    "a time of day": (b"{at_least: 1:30}", "1:30 is no number: "),
    "a thousand brackets": (b"[" * 5_000, "it is nested too deeply"),
    "a large file": (b"#" * (1 << 20) + b"##", "it is larger than 1,048,576 bytes"),
    "a name in Chinese": (
        LIVE.read_bytes().replace(b"tier: gold,", "tier: 金卡,".encode()),
        "tiers[2].tier: letters, digits and",
    ),
    "a measure without its kind": (
        LIVE.read_bytes().replace(b"kind: balances, ", b""),
        "measures.assets: say which kind it is, `kind: balances`",
    ),
    "an amount that is none": (
        LIVE.read_bytes().replace(b"at_least: 20000000}", b"at_least: much}"),
        "tiers[2].reach.at_least: much is no amount: write 500,000 CNY",
    ),
    "an amount of another currency": (
        LIVE.read_bytes().replace(b"at_least: 20000000}", b"at_least: 200000 USD}"),
        "tiers[2].reach.at_least: 200000 USD: amounts of this file are in CNY",
    ),
    "an amount in a currency that there is not": (
        LIVE.read_bytes().replace(b"at_least: 20000000}", b"at_least: 200000 RMB}"),
        "tiers[2].reach.at_least: 200000 RMB: there is no currency RMB",
    ),
    "an amount without its unit": (
        LIVE.read_bytes().replace(b"at_least: 20000000}", b'at_least: "200000"}'),
        "tiers[2].reach.at_least: 200000 has no unit: write 500,000 CNY",
    ),
    "an amount with commas, not in quotes": (
        LIVE.read_bytes().replace(b"at_least: 20000000}", b"at_least: 200,000 CNY}"),
        "an amount with commas is put in quotes, or written with _ (500_000 CNY)",
    ),
    "less than a fen": (
        LIVE.read_bytes().replace(b"at_least: 20000000}", b"at_least: 200000.005 CNY}"),
        "tiers[2].reach.at_least: 200000.005 CNY has more digits behind the point than CNY has",
    ),
    "an amount of what is counted": (
        LIVE.read_bytes().replace(
            b"quantity: assets, at_least: 20000000}", b"quantity: transactions, at_least: 20 CNY}"
        ),
        "tiers[2].reach.at_least: transactions is no money: write a number without a unit and",
    ),
    "a scheme with a capital letter": (
        LIVE.read_bytes().replace(b"version: 1", b"version: 1\nscheme: Private"),
        "scheme: begins with a small letter; then small letters",
    ),
    "a measure called points": (
        LIVE.read_bytes().replace(
            b"measures:\n",
            b"measures:\n  points: {kind: points, of: [{quantity: transactions, each: 0, points: "
            b"1}]}\n",
        ),
        "measures.points.of[0].each: ",
    ),
}


@pytest.mark.parametrize(("content", "said"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_file_is_told_in_words_of_its_author(
    tmp_path: Path, content: bytes, said: str
) -> None:
    """What to write instead, where it stands in the file."""
    path = tmp_path / "rule.yaml"
    path.write_bytes(content)
    with pytest.raises(BadFile, match=re.escape(said)):
        read_policy(path)


@pytest.mark.parametrize(("changes", "said"), WRONG.values(), ids=WRONG)
def test_a_bad_policy_file_gets_an_error_to_act_on(
    folder: Path, changes: dict[str, object], said: str
) -> None:
    """The place, what, and why; no trace of the program."""
    answer = what_if(folder, candidate(folder, **changes))

    assert answer.returncode == 2
    assert said in " ".join(answer.stderr.split())
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("gold=1", "write TIER=FROM..TO/STEP"),
        ("gold=1..9/0", "write TIER=FROM..TO/STEP"),
        ("mass=1..9/1", "no tier mass with a single threshold"),
    ],
)
def test_a_curve_that_cannot_be_drawn_says_why(folder: Path, vary: str, said: str) -> None:
    """How to write it, or why not."""
    answer = what_if(folder, LIVE, "--vary", vary)

    assert answer.returncode == 2
    assert said in " ".join(answer.stderr.replace("│", " ").split())


def test_without_facts_and_without_read_models_it_says_what_to_do(tmp_path: Path) -> None:
    """Nothing is running and nothing is kept."""
    command = [*TIERFOLD, "replay", "what-if", str(LIVE), "--data-dir", str(tmp_path)]
    nowhere = {"TIERFOLD_REDIS": "redis://127.0.0.1:1/0", "PATH": "/usr/bin:/bin"}
    answer = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, env=nowhere
    )

    assert answer.returncode == 2
    assert "start them, or ask --from-journal" in " ".join(answer.stderr.split())
