"""The README is a promise: every command in it is run here, or by CI."""

import json
import re
import shlex
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from streams.ingest.cloudevents import read_event, write
from streams.journal import Rejected
from streams.sources.synth import Bank, synth
from tests.conftest import TIERFOLD, Running, environment_of, free_port, wait_for

ROOT = Path(__file__).parents[1]
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
RUN_BY_CI = {"make run", "make test", "make test-real"}
PROCESSES = {"up", "intake", "agents", "web", "guard", "notary"}
"""Run by every test that asks for a stack: `up` starts the others by these very commands."""


def commands(text: str) -> list[str]:
    """Every line of every shell block, without its comment."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def curled(stack: Running, command: str, folder: Path | None = None) -> httpx.Response:
    """A curl of the README, with what its -K file says, against a stack: its tokens are the stack's, other files lie in a folder."""
    *_, url = words = shlex.split(command)
    headers = {}
    if "-K" in words:
        name = words[words.index("-K") + 1]
        file = stack.settings.data_dir / name.removeprefix(".tierfold/") if name.startswith(".tierfold/") or folder is None else folder / name
        headers = dict(re.findall(r'header = "([\w-]+): (.*)"', file.read_text()))
    return httpx.get(stack.settings.address + url.removeprefix("localhost:8080"), headers=headers, timeout=20)


def test_both_languages_promise_the_same() -> None:
    """The Chinese README has the same commands, pictures and example."""
    assert commands(ENGLISH) == commands(CHINESE)
    assert re.findall(r"```json\n(.*?)```", ENGLISH, re.DOTALL) == re.findall(r"```json\n(.*?)```", CHINESE, re.DOTALL)


def test_ci_runs_the_two_commands() -> None:
    """What sets everything up is what CI calls."""
    ci = (ROOT / ".ci" / "run").read_text()

    assert {command for command in commands(ENGLISH) if command.startswith("make")} == RUN_BY_CI
    assert all(command in ci for command in RUN_BY_CI)


def test_the_example_event_is_a_good_one() -> None:
    """Who copies it is not refused."""
    [example] = re.findall(r"```json\n(.*?)```", ENGLISH, re.DOTALL)

    assert not isinstance(read_event(json.dumps(json.loads(example)).encode()), Rejected)


def test_every_question_is_answered(stack: Running, tmp_path: Path) -> None:
    """Each curl of the README, against a running stack."""
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(5, 2, 1)))))
    stack.report("feed", str(tmp_path / "bank.jsonl"))
    stack.settle()
    questions = [command for command in commands(ENGLISH) if command.startswith("curl") and " mobile " not in command]

    assert len(questions) == 13
    for question in questions:
        assert curled(stack, question).status_code == 200, question


TOOLS = [
    shlex.split(command)[1:]
    for command in commands(ENGLISH)
    if command.startswith(".venv/bin/tierfold") and not re.search(" (replay|models|audit|witness|privacy|token|components) |--check", command)
]


@pytest.mark.parametrize("words", TOOLS, ids=" ".join)
def test_every_tool_does_what_is_promised(stack: Running, tmp_path: Path, words: list[str], request: pytest.FixtureRequest) -> None:
    """Each command of the README, in order, as it stands there."""
    if words[0] in PROCESSES:
        assert set(stack.pids()) >= PROCESSES - {"up"}
        return
    [example] = re.findall(r"```json\n(.*?)```", ENGLISH, re.DOTALL)
    event = json.loads(example)
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    (tmp_path / "mended.json").write_text(json.dumps(event))
    if words[0] == "quarantine":
        words = [_an_entry(stack, tmp_path, event) if word == "0/1" else word for word in words]
    if "DIR" in words:
        words = [str(request.getfixturevalue("berka_folder")) if word == "DIR" else word for word in words]
    if words[0] == "topics":
        words = ["topics", "--replicas", "1"]
    done = stack.run(*words, cwd=tmp_path)

    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout or words[0] in {"topics", "quarantine"}


def test_next_best_offer(own_stack: Running, tmp_path: Path) -> None:
    """The section's commands, one after the other, with a decision that a channel was just given."""
    section = ENGLISH[ENGLISH.index("## Next best offer") : ENGLISH.index("## Change a tiering rule")]
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(200, 4, 1)))))
    own_stack.report("feed", str(tmp_path / "bank.jsonl"))
    own_stack.settle()
    question = next(command for command in commands(section) if "next-best-offer" in command)
    answer = curled(own_stack, question).json()
    time.sleep(1)
    said = {}
    for command in commands(section):
        if command.startswith("curl"):
            continue
        done = own_stack.run(*shlex.split(command.replace("DECISION", answer["decision"]))[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        said[command.split()[2]] = done.stdout.decode()

    assert 1 <= len(answer["offers"]) <= 3
    assert "equal, byte for byte" in said["explain-decision"]
    assert re.search(r"^different +0$", said["verify-decisions"], re.MULTILINE)
    assert "home-insurance" in said["list"]
    assert "True" in said["rebuild"]
    assert "auc" in said["evaluate"]
    assert "by how offers were chosen" in said["value"]


def test_prove_it_to_others(own_stack: Running, tmp_path: Path) -> None:
    """The section's commands, one after the other, of a customer who was just made an offer."""
    section = ENGLISH[ENGLISH.index("## Prove it to others") : ENGLISH.index("## Let in, keep private, forget")]
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(20, 3, 1)))))
    own_stack.report("feed", str(tmp_path / "bank.jsonl"))
    own_stack.settle()
    assert own_stack.client.get("/v1/customers/100000/next-best-offer", timeout=20).status_code == 200
    time.sleep(3)
    said = {}
    for line in commands(section):
        command, _, into = line.partition(" > ")
        words = shlex.split(command)
        if "witness" in words:
            _is_a_witness(own_stack, words[1:], tmp_path)
            continue
        done = own_stack.run(*words[1:], cwd=tmp_path) if "tierfold" in words[0] else subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        said[words[2]] = done.stdout.decode()
        (tmp_path / (into or "said")).write_bytes(done.stdout)

    assert re.search(r"findings +0\n", said["verify-journal"])
    assert re.search(r"decisions +1\nequal +1\n", said["verify"])
    assert "customer:100000: verified" in said["100000.bundle"]
    assert "offer decided" in (tmp_path / "100000.html").read_text()


def test_let_in_keep_private_forget(own_stack: Running, tmp_path: Path) -> None:
    """The section's commands, one after the other, on a bank of twenty."""
    section = ENGLISH[ENGLISH.index("## Let in, keep private") : ENGLISH.index("## Kafka, PostgreSQL, Redis")]
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(20, 2, 1)))))
    own_stack.report("feed", str(tmp_path / "bank.jsonl"))
    own_stack.settle()
    said = {}
    for line in commands(section):
        if line.startswith("curl"):
            assert curled(own_stack, line, tmp_path).status_code == 200
            own_stack.settle()
            continue
        command, _, into = line.partition(" > ")
        words = shlex.split(command)[1:]
        done = own_stack.run(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        said[words[1] if words[0] in {"audit", "privacy"} else words[0]] = done.stdout.decode()
        (tmp_path / (into or "said")).write_bytes(done.stdout)

    assert "mobile" in said["access"]
    assert "retail-privacy@1" in said["report"]
    assert "Who looked" in (tmp_path / "known.html").read_text()
    assert json.loads((tmp_path / "100000.json").read_text())["customer"] == "100000"
    assert "events stay in their places" in said["forget"]
    assert "1 destroyed" in said["forget"]
    assert own_stack.client.get("/v1/customers/100002").status_code == 404
    assert own_stack.client.get("/v1/customers/100001").status_code == 200
    assert "1 destroyed" in said["replay"]
    assert "wrapped by a new master key" in said["rotate"]


def _is_a_witness(stack: Running, words: list[str], folder: Path) -> None:
    """It answers until it is told to stop."""
    words[words.index("8081")] = str(port := free_port())
    command = [*TIERFOLD, *words, "--data-dir", str(folder / "of-the-witness")]
    with subprocess.Popen(command, cwd=folder, env=environment_of(stack.settings), stderr=subprocess.PIPE) as process:
        try:
            wait_for(f"127.0.0.1:{port}", process)
            assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "alive"}
        finally:
            process.terminate()


def test_change_a_tiering_rule_from_top_to_bottom(own_stack: Running, tmp_path: Path) -> None:
    """The section's commands, one after the other, in a folder of their own, on a bank of three hundred."""
    section = ENGLISH[ENGLISH.index("## Change a tiering rule") : ENGLISH.index("## Households and company groups")]
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(300, 3, 1)))))
    own_stack.report("feed", str(tmp_path / "bank.jsonl"))
    own_stack.settle()
    make_rule, *asked = commands(section)
    subprocess.run(make_rule, shell=True, cwd=tmp_path, check=True)
    said: list[str] = []
    for command in asked:
        digest = re.findall(r"report digest (\w{64})", said[-1]) if "DIGEST" in command else [""]
        answer = own_stack.run(*shlex.split(command.replace("DIGEST", digest[0]))[1:], cwd=tmp_path)
        assert answer.returncode == 0, f"{command}: {answer.stderr.decode()}"
        said.append(answer.stdout.decode())

    live, kept, curve, raw, rebuilt, versions, compared, _approved, promoted, back, _withdrawn = said
    assert "bohai-retail@1 → bohai-retail@2: 300 customers through 2026-03" in live
    assert live == kept
    assert raw.startswith(live), "the facts folded from raw events are those of the read models"
    assert "cmb-sunflower@1" in raw
    assert "41,000,000" in curve
    assert "Who would move" in (tmp_path / "who-moves.html").read_text(encoding="utf-8")
    assert (tmp_path / "movers.csv").read_text(encoding="utf-8").startswith("policy,customer,before,after")
    assert "standings@1" in rebuilt
    assert "li.wei" in versions
    assert compared == live, "what is carried is what was tried"
    assert "live    standings@1/bohai-retail@2/" in promoted
    assert "live    standings@1/bohai-retail@1/" in back


def test_rebuild_and_verify(own_stack: Running, tmp_path: Path) -> None:
    """The section's commands, one after the other, on a bank of twenty."""
    section = ENGLISH[ENGLISH.index("## Rebuild and verify") : ENGLISH.index("## Prove it to others")]
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(20, 2, 1)))))
    own_stack.report("feed", str(tmp_path / "bank.jsonl"))
    own_stack.settle()
    for command in commands(section):
        answer = own_stack.run(*shlex.split(command)[1:], cwd=tmp_path)
        assert answer.returncode == 0, f"{command}: {answer.stderr.decode()}"

    assert "0 wrong" in " ".join(answer.stdout.decode().split())


def test_ask_why(stack: Running, tmp_path: Path) -> None:
    """The same answer on the command line and over HTTP; and the customer as of a date."""
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(5, 2, 1)))))
    stack.report("feed", str(tmp_path / "bank.jsonl"))
    section = ENGLISH[ENGLISH.index("## Ask why") : ENGLISH.index("## Rebuild and verify")]
    why, then = (shlex.split(command)[1:] for command in commands(section) if " replay " in command)
    told = stack.report(*why)
    asked = stack.client.get("/v1/customers/100000/explain?on=2026-03-15").json()
    past = json.loads(stack.run(*then).stdout)

    assert told == asked
    assert told["tier"] == stack.client.get("/v1/customers/100000/tier").json()["tier"]
    assert [each["month"] for each in told["assessments"]] == ["2026-02", "2026-01"]
    assert list(past["months"]["rows"]) == ["2026-01"]
    assert past == stack.client.get("/v1/customers/100000/as-of?occurred=2026-02-10").json()
    assert stack.client.get("/v1/customers/100000/as-of?recorded=2026-02-10T00:00:00").status_code == 422
    assert stack.client.get("/v1/customers/nobody/explain").status_code == 404


def test_households_and_company_groups(stack: Running, tmp_path: Path) -> None:
    """The household on a day: the same on the command line and over HTTP; both members, and the sum of what they have."""
    (tmp_path / "bank.jsonl").write_bytes(b"\n".join(map(write, synth(Bank(5, 2, 1)))))
    stack.report("feed", str(tmp_path / "bank.jsonl"))
    stack.settle()
    section = ENGLISH[ENGLISH.index("## Households and company groups") : ENGLISH.index("## Ask why")]
    whole, then, command = commands(section)
    live, past = (curled(stack, question).json() for question in (whole, then))
    said = json.loads(stack.run(*shlex.split(command)[1:]).stdout)

    assert set(live["members"]) == set(past["shares"]) == {"customer:100000", "customer:100001"}
    assert list(live["months"]) == ["2026-01", "2026-02"]
    assert {name: each for name, each in said.items() if name != "whole"} == {name: each for name, each in past.items() if name != "household"}
    assert stack.client.get("/v1/companies/nobody").status_code == 404
    assert stack.client.get("/v1/companies/nobody/as-of").status_code == 404


def _an_entry(stack: Running, folder: Path, event: dict[str, object]) -> str:
    """Something in quarantine, to look at."""
    (folder / "bad.jsonl").write_text(json.dumps({**event, "time": "never"}) + "\n")
    stack.report("feed", str(folder / "bad.jsonl"))
    return str(stack.report("quarantine", "list")["entries"][-1]["entry"])


def test_make_targets_named_in_the_readme_exist() -> None:
    """`make check` and its like."""
    for target in set(re.findall(r"`make (\w+)", ENGLISH + CHINESE)):
        assert subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=False).returncode == 0, target
