"""The pages are promises: every command on them is run here, or by CI."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.operations.demo import ASKED
from deploy.settings import POLICIES
from deploy.wiring import journal_of
from streams.ingest.cloudevents import read_event, write
from streams.journal import Rejected
from streams.sources.synth import Bank, synth
from tests.conftest import (
    TIERFOLD,
    Running,
    environment_of,
    free_port,
    run_command,
    settings_in,
    wait_for,
)

ROOT = Path(__file__).parents[1]
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
TRANSLATED = (
    "feeding",
    "offers",
    "models",
    "synthetic-bank",
    "policies",
    "tiering",
    "schemes",
    "restatements",
    "notices",
    "households",
    "persons",
    "history",
    "rebuild",
    "proofs",
    "privacy",
    "operating",
    "console",
)
"""The pages that there are in both languages, beside the README."""
RUN_BY_CI = {"make run", "make test", "make test-real"}
PROCESSES = {"up", "intake", "agents", "web", "guard", "notary"}
"""Run by every test that asks for a stack: `up` starts the others by these very commands."""


def page(name: str, language: str = "") -> str:
    """The text of a page, or of the README."""
    path = (
        f"README{language and '.'}{language}.md"
        if name == "README"
        else f"docs/{language}/{name}.md".replace("//", "/")
    )
    return (ROOT / path).read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """Every line of every shell block, without its comment."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [
        line.partition("#")[0].strip()
        for block in blocks
        for line in block.splitlines()
        if line.strip()
    ]


def curled(stack: Running, command: str, folder: Path | None = None) -> httpx.Response:
    """A curl of the README, with what its -K file says, against a stack.

    Its tokens are the stack's, other files lie in a folder.
    """
    *_, url = words = shlex.split(command)
    headers = {}
    if "-K" in words:
        name = words[words.index("-K") + 1]
        file = (
            stack.settings.data_dir / name.removeprefix(".tierfold/")
            if name.startswith(".tierfold/") or folder is None
            else folder / name
        )
        headers = dict(re.findall(r'header = "([\w-]+): (.*)"', file.read_text()))
    address = stack.settings.address + url.removeprefix("localhost:8080")
    if "-d" not in words:
        return httpx.get(address, headers=headers, timeout=20)
    assert folder is not None
    headers["content-type"] = words[words.index("-H") + 1].partition(": ")[2]
    body = (folder / words[words.index("-d") + 1].removeprefix("@")).read_bytes()
    return httpx.post(address, headers=headers, content=body, timeout=20)


EVERY_COMMAND = [command for name in ("README", *TRANSLATED) for command in commands(page(name))]


@pytest.mark.parametrize("name", ["README", *TRANSLATED])
def test_both_languages_promise_the_same(name: str) -> None:
    """The Chinese page has the same commands, in the same order, and the same example."""
    english, chinese = page(name), page(name, "zh-CN")

    assert commands(english) == commands(chinese)
    assert re.findall(r"```json\n(.*?)```", english, re.DOTALL) == re.findall(
        r"```json\n(.*?)```", chinese, re.DOTALL
    )


def test_every_page_with_commands_is_one_of_these() -> None:
    """A page that is new is run too."""
    with_commands = {
        path.stem
        for path in (ROOT / "docs").glob("*.md")
        if commands(path.read_text(encoding="utf-8"))
    }

    assert with_commands <= {*TRANSLATED, "runbook"}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    """To a file that is there, and to a heading that is in it."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, heading = target.partition("#")
        found = (path.parent / name).resolve() if name else path
        assert found.exists(), target
        if heading and found.suffix == ".md":
            assert heading in {
                _anchor(line)
                for line in found.read_text(encoding="utf-8").splitlines()
                if line.startswith("#")
            }, target


def _anchor(line: str) -> str:
    """What GitHub calls a heading."""
    return re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower()).replace(" ", "-")


def test_ci_runs_the_two_commands() -> None:
    """What sets everything up is what CI calls."""
    ci = (ROOT / ".ci" / "run").read_text()

    assert {command for command in EVERY_COMMAND if command.startswith("make")} == RUN_BY_CI
    assert all(command in ci for command in RUN_BY_CI)


def test_the_example_event_is_a_good_one() -> None:
    """Who copies it is not refused."""
    [example] = re.findall(r"```json\n(.*?)```", page("feeding"), re.DOTALL)

    assert not isinstance(read_event(json.dumps(json.loads(example)).encode()), Rejected)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack with three hundred customers over four months, on which the pages are walked through,
    one after the other. Three of them are one person with another.
    """
    settings = settings_in(tmp_path_factory.mktemp("bank"), console_port=free_port())
    with Running(settings) as made:
        (made.settings.data_dir / "bank.jsonl").write_bytes(
            b"\n".join(map(write, synth(Bank(300, 4, 1))))
        )
        made.report("feed", str(made.settings.data_dir / "bank.jsonl"))
        made.settle()
        yield made


def test_every_question_is_answered(bank: Running) -> None:
    """Each curl of the pages, and each that `make run` prints, against a running stack."""
    questions = [
        command
        for command in EVERY_COMMAND
        if command.startswith("curl") and " mobile " not in command and " -d " not in command
    ]

    printed = [f"curl -K .tierfold/tokens/{role} localhost:8080{asked}" for role, asked in ASKED]

    assert len(questions) == 16
    for question in (*questions, *printed):
        assert curled(bank, question).status_code == 200, question


def test_next_best_offer(bank: Running, tmp_path: Path) -> None:
    """The page's commands, one after the other, with a decision that a channel was just given."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    question = next(command for command in commands(page("offers")) if "next-best-offer" in command)
    answer = curled(bank, question).json()
    bank.settle()
    [label] = re.findall(r"```json\n(.*?)```", page("offers"), re.DOTALL)
    (tmp_path / "bank.jsonl").symlink_to(bank.settings.data_dir / "bank.jsonl")
    said = {}
    for line in commands(page("offers")):
        command, _, into = line.replace("DECISION", answer["decision"]).partition(" > ")
        if command.startswith("curl"):
            if " -d " in command:
                forged = label.replace('"accepted": false', '"accepted": false, "score": 9.0')
                for text, status in ((forged, 422), (label, 201)):
                    (tmp_path / "label.json").write_text(text)
                    assert curled(bank, command, tmp_path).status_code == status
                bank.settle()
            continue
        done = bank.run(*shlex.split(command)[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        said[" ".join(command.split()[2:4])] = done.stdout.decode()
        (tmp_path / (into or "said")).write_bytes(done.stdout)

    assert 1 <= len(answer["offers"]) <= 3
    assert "equal, byte for byte" in said[f"explain-decision {answer['decision']}"]
    assert re.search(r"^different +0$", said["verify-decisions --sample"], re.MULTILINE)
    assert "home-insurance" in said["list"]
    assert "True" in said["rebuild home-insurance"]
    assert "auc" in said["evaluate home-insurance"]
    assert "foresight/demand/fund" in said["evaluate"]
    assert "foresight/demand/fund" in said["evaluate --history"]
    assert "by how offers were chosen" in said["value --catalogue"]
    assert re.search(r"^examples +1$", said["show left-in-a-year"], re.MULTILINE)


def test_the_synthetic_bank(bank: Running, tmp_path: Path) -> None:
    """The page's commands: a bank with its truth, and what can be foreseen of it."""
    for line in commands(page("synthetic-bank")):
        command, _, into = line.partition(" > ")
        done = bank.run(*shlex.split(command)[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        (tmp_path / (into or "said")).write_bytes(done.stdout)
    truth = [json.loads(each) for each in (tmp_path / "truth.jsonl").read_text().splitlines()]

    assert {each["what"] for each in truth} == {"may leave", "left", "asked"}
    assert "next balance" in (tmp_path / "said").read_text()


def test_who_opens_a_link_of_the_page_sees_the_bank(bank: Running) -> None:
    """The page's commands: each prints a link that lets somebody in."""
    for command in commands(page("console")):
        link = bank.run(*shlex.split(command)[1:]).stdout.decode().strip()
        address, _, code = link.partition("/login?code=")
        with httpx.Client(base_url=address, headers={"sec-fetch-site": "same-origin"}) as reader:
            reader.post("/login", content=f"code={code}")
            assert "100001" in reader.get("/customers/100001/tier").text


def test_change_a_tiering_rule_from_top_to_bottom(bank: Running, tmp_path: Path) -> None:
    """The page's commands, one after the other, in a folder of their own."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    make_rule, *asked = commands(page("tiering"))
    subprocess.run(make_rule, shell=True, cwd=tmp_path, check=True)
    said: list[str] = []
    for command in asked:
        digest = re.findall(r"report digest (\w{64})", said[-1]) if "DIGEST" in command else [""]
        answer = bank.run(*shlex.split(command.replace("DIGEST", digest[0]))[1:], cwd=tmp_path)
        assert answer.returncode == 0, f"{command}: {answer.stderr.decode()}"
        said.append(answer.stdout.decode())

    checked, live, kept, curve, raw, rebuilt, versions, compared, *_, promoted, back, _gone = said
    assert "assets at least 150,000.00 CNY; falls after 3 missed in a row" in checked
    assert "bohai-retail@1 → bohai-retail@2: 297 customers through 2026-04" in live
    assert live == kept
    assert raw.startswith(live), "the facts folded from raw events are those of the read models"
    assert "cmb-sunflower@1" in raw
    assert "41,000,000" in curve
    assert "Who would move" in (tmp_path / "who-moves.html").read_text(encoding="utf-8")
    head, *movers = (tmp_path / "movers.csv").read_text(encoding="utf-8").splitlines()
    assert head.startswith("policy,customer,before,after")
    assert movers, "the page's rule moves somebody"
    assert "standings@1" in rebuilt
    assert "li.wei" in versions
    assert compared == live, "what is carried is what was tried"
    assert "live    standings@1/bohai-retail@2/" in promoted
    assert "live    standings@1/bohai-retail@1/" in back


def test_change_the_catalogue_from_top_to_bottom(bank: Running, tmp_path: Path) -> None:
    """The page's commands, one after the other: a decision would have been another, and is again
    what it was.
    """
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    question, make_file, *asked = commands(page("policies"))
    before = curled(bank, question).json()
    bank.settle()
    subprocess.run(make_file, shell=True, cwd=tmp_path, check=True)
    said: list[str] = []
    for command in asked:
        digest = re.findall(r"report digest (\w{64})", said[-1]) if "DIGEST" in command else [""]
        answer = bank.run(*shlex.split(command.replace("DIGEST", digest[0]))[1:], cwd=tmp_path)
        assert answer.returncode == 0, f"{command}: {answer.stderr.decode()}"
        said.append(answer.stdout.decode())
        if "promote" in command:
            live = curled(bank, question).json()

    checked, tried, _, compared, _, promoted, versions, _ = said
    assert "Savings plan (savings-plan) is worth 120.00 CNY: for companies" in checked
    for report in (tried, compared):
        assert re.search(r"savings-plan .* eligibility ", report)
        assert int(re.findall(r"customers: (\d+) show something else", report)[0]) > 0
    assert "catalogue@1/retail@4/" in promoted
    assert "retail@4/" in versions
    assert live["catalogue"].startswith("retail@4/")
    assert "savings-plan" in {each["offer"] for each in live["dropped"]}
    assert curled(bank, question).json()["catalogue"] == before["catalogue"]


def test_run_several_schemes_from_top_to_bottom(bank: Running, tmp_path: Path) -> None:
    """The page's commands, one after the other: begun, ordered, and taken back."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    before = bank.client.get("/v1/customers/100000/tier").json()
    said: list[str] = []
    for command in commands(page("schemes")):
        if command.startswith("sed"):
            subprocess.run(command, shell=True, cwd=tmp_path, check=True)
            continue
        digest = re.findall(r"report digest (\w{64})", said[-1]) if "DIGEST" in command else [""]
        answer = bank.run(*shlex.split(command.replace("DIGEST", digest[0]))[1:], cwd=tmp_path)
        assert answer.returncode == 0, f"{command}: {answer.stderr.decode()}"
        said.append(answer.stdout.decode())

    assert "nothing@1 → private-entry-six-million@1: 297 customers" in said[0]
    assert "stands in retail" in said[5]
    assert "house-order@1" in said[7]
    assert "retail counts" in said[10]
    assert bank.client.get("/v1/customers/100000/tier").json() == before


def test_correct_the_past_from_top_to_bottom(bank: Running, tmp_path: Path) -> None:
    """The page's commands, one after the other: somebody moves, and moves back."""
    make_batch, feed, *asked = commands(page("restatements"))
    subprocess.run(make_batch, shell=True, cwd=tmp_path, check=True)
    assert bank.run(*shlex.split(feed)[1:], cwd=tmp_path).returncode == 0
    bank.settle()
    said: list[str] = []
    for command in asked:
        digest = re.findall(r"report digest (\w{64})", said[-1]) if "DIGEST" in command else [""]
        answer = bank.run(*shlex.split(command.replace("DIGEST", digest[0]))[1:], cwd=tmp_path)
        assert answer.returncode == 0, f"{command}: {answer.stderr.decode()}"
        said.append(answer.stdout.decode())

    _, compared, _, promoted, listed, verified, explained, back = said
    assert "2026-02 of 1 customers, by 1 late events" in " ".join(compared.split())
    assert re.search(r"customer:100012 .* mass .* platinum ", compared)
    assert re.search(r"customers +1$", promoted, re.MULTILINE)
    assert "batch-7" in listed
    assert re.search(r"computed +1$", verified, re.MULTILINE)
    assert "platinum" in explained
    assert re.search(r"customers +1$", back, re.MULTILINE)


def test_tell_other_systems(tmp_path: Path) -> None:
    """The page's commands, one after the other, with the shipped example."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    shown = {"subscribers": POLICIES / "subscribers.yaml"}
    journal_of(settings := settings_in(tmp_path, **shown)).counts()
    for command in commands(page("notices")):
        words = [word for word in shlex.split(command) if not word.startswith("TIERFOLD_")]
        done = run_command(tuple(words[1:]), environment_of(settings), cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"

    assert (settings.keys_dir / "webhook-crm").read_text().startswith("whsec_")


def test_rebuild_and_verify(bank: Running, tmp_path: Path) -> None:
    """The page's commands, one after the other."""
    for command in commands(page("rebuild")):
        answer = bank.run(*shlex.split(command)[1:], cwd=tmp_path)
        assert answer.returncode == 0, f"{command}: {answer.stderr.decode()}"

    assert "0 wrong" in " ".join(answer.stdout.decode().split())


def test_ask_why(bank: Running) -> None:
    """The same answer on the command line and over HTTP; the customer as of a date, and what has
    changed since.
    """
    why, then, between = (
        shlex.split(command)[1:] for command in commands(page("history")) if " replay " in command
    )
    told = bank.report(*why)
    asked = bank.client.get("/v1/customers/100000/explain?on=2026-03-15").json()
    past, changed = (json.loads(bank.run(*words).stdout) for words in (then, between))
    since = bank.client.get("/v1/customers/100000/differences?before_occurred=2026-02-10").json()

    assert told == asked
    assert told["tier"] == bank.client.get("/v1/customers/100000/tier").json()["tier"]
    assert [each["month"] for each in told["assessments"]] == ["2026-02", "2026-01"]
    assert list(past["months"]["rows"]) == ["2026-01"]
    assert past == bank.client.get("/v1/customers/100000/as-of?occurred=2026-02-10").json()
    assert [changed[name] for name in ("changes", "events")] == [since["changes"], since["events"]]
    assert "months.rows.2026-02.month" in {each["place"] for each in changed["changes"]}
    assert (
        bank.client.get("/v1/customers/100000/as-of?recorded=2026-02-10T00:00:00").status_code
        == 422
    )
    assert bank.client.get("/v1/customers/nobody/explain").status_code == 404


def test_households_and_company_groups(bank: Running) -> None:
    """The household on a day: the same on the command line and over HTTP.

    Both parents and their child, and the sum of what they have.
    """
    whole, then, command = commands(page("households"))
    live, past = (curled(bank, question).json() for question in (whole, then))
    said = json.loads(bank.run(*shlex.split(command)[1:]).stdout)

    assert (
        set(live["members"])
        == set(past["shares"])
        == {
            "customer:100000",
            "customer:100001",
            "customer:100002",
        }
    )
    assert list(live["months"]) == ["2026-01", "2026-02", "2026-03", "2026-04"]
    assert {name: each for name, each in said.items() if name != "whole"} == {
        name: each for name, each in past.items() if name != "household"
    }
    assert bank.client.get("/v1/companies/nobody").status_code == 404
    assert bank.client.get("/v1/companies/nobody/as-of").status_code == 404


def test_one_person_with_several_numbers(bank: Running) -> None:
    """The page's commands, one after the other: two numbers are one person, and are two again."""
    propose, merge, question, unmerge = commands(page("persons"))
    assert bank.run(*shlex.split(propose)[1:]).returncode == 0
    said = []
    for command in (merge, unmerge):
        done = bank.run(*shlex.split(command)[1:])
        assert done.returncode == 0, done.stderr.decode()
        bank.settle()
        said.append(curled(bank, question).json())

    assert said[0]["person"] == {"stays": "100010", "numbers": ["100010", "100011"]}
    assert "person" not in said[1]


def test_prove_it_to_others(bank: Running, tmp_path: Path) -> None:
    """The page's commands, one after the other, of a customer who was just made an offer."""
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    assert bank.client.get("/v1/customers/100000/next-best-offer", timeout=20).status_code == 200
    bank.settle()
    said = {}
    for line in commands(page("proofs")):
        command, _, into = line.partition(" > ")
        words = shlex.split(command)
        if "witness" in words:
            _is_a_witness(bank, words[1:], tmp_path)
            continue
        done = (
            bank.run(*words[1:], cwd=tmp_path)
            if "tierfold" in words[0]
            else subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
        )
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        said[words[2]] = done.stdout.decode()
        (tmp_path / (into or "said")).write_bytes(done.stdout)

    assert re.search(r"findings +0\n", said["verify-journal"])
    assert re.search(r"decisions +([1-9]\d*)\nequal +\1\n", said["verify"])
    assert "customer:100000: verified" in said["100000.bundle"]
    assert "offer decided" in (tmp_path / "100000.html").read_text()


def test_let_in_keep_private_forget(bank: Running, tmp_path: Path) -> None:
    """The page's commands, one after the other."""
    said = {}
    for line in commands(page("privacy")):
        if line.startswith("curl"):
            assert curled(bank, line, tmp_path).status_code == 200
            bank.settle()
            continue
        command, _, into = line.partition(" > ")
        words = shlex.split(command)[1:]
        done = bank.run(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stderr.decode()}"
        said[words[1] if words[0] in {"audit", "privacy"} else words[0]] = done.stdout.decode()
        (tmp_path / (into or "said")).write_bytes(done.stdout)

    assert "mobile" in said["access"]
    assert "retail-privacy@1" in said["report"]
    assert "Who looked" in (tmp_path / "known.html").read_text()
    assert json.loads((tmp_path / "100000.json").read_text())["customer"] == "100000"
    assert "events stay in their places" in said["forget"]
    assert "1 destroyed" in said["forget"]
    assert bank.client.get("/v1/customers/100002").status_code == 404
    assert bank.client.get("/v1/customers/100001").status_code == 200
    assert "1 destroyed" in said["replay"]
    assert "wrapped by a new master key" in said["rotate"]


TOOLS = [
    shlex.split(command)[1:]
    for command in EVERY_COMMAND
    if command.startswith(".venv/bin/tierfold")
    and not re.search(
        " (replay|restate|notices|policy|models|audit|witness|privacy|identities|token|components) "
        "|console-link|late.jsonl|--check|--truth",
        command,
    )
]


@pytest.mark.parametrize("words", TOOLS, ids=" ".join)
def test_every_tool_does_what_is_promised(
    stack: Running, tmp_path: Path, words: list[str], request: pytest.FixtureRequest
) -> None:
    """Each command of the README, in order, as it stands there."""
    if words[0] in PROCESSES:
        assert set(stack.pids()) >= PROCESSES - {"up"}
        return
    [example] = re.findall(r"```json\n(.*?)```", page("feeding"), re.DOTALL)
    event = json.loads(example)
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    (tmp_path / "mended.json").write_text(json.dumps(event))
    if words[0] == "quarantine":
        words = [_an_entry(stack, tmp_path, event) if word == "0/1" else word for word in words]
    if "DIR" in words:
        words = [
            str(request.getfixturevalue("berka_folder")) if word == "DIR" else word
            for word in words
        ]
    if words[0] == "topics":
        words = ["topics", "--replicas", "1"]
    done = stack.run(*words, cwd=tmp_path)

    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout or words[0] in {"topics", "quarantine"}


def _is_a_witness(stack: Running, words: list[str], folder: Path) -> None:
    """It answers until it is told to stop."""
    words[words.index("8081")] = str(port := free_port())
    command = [*TIERFOLD, *words, "--data-dir", str(folder / "of-the-witness")]
    with subprocess.Popen(
        command, cwd=folder, env=environment_of(stack.settings), stderr=subprocess.PIPE
    ) as process:
        try:
            wait_for(f"127.0.0.1:{port}", process)
            assert httpx.get(f"http://127.0.0.1:{port}/healthz").json() == {"status": "alive"}
        finally:
            process.terminate()


def _an_entry(stack: Running, folder: Path, event: dict[str, object]) -> str:
    """Something in quarantine, to look at."""
    (folder / "bad.jsonl").write_text(json.dumps({**event, "time": "never"}) + "\n")
    stack.report("feed", str(folder / "bad.jsonl"), code=1)
    return str(stack.report("quarantine", "list")["entries"][-1]["entry"])


def test_make_targets_named_on_the_pages_exist() -> None:
    """`make check` and its like."""
    for target in set(
        re.findall(r"`make (\w+)", "".join(path.read_text(encoding="utf-8") for path in PAGES))
    ):
        assert (
            subprocess.run(
                ["make", "-n", target], cwd=ROOT, capture_output=True, check=False
            ).returncode
            == 0
        ), target
