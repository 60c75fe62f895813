"""Small inputs that once failed are answered as they should be, over HTTP and over Kafka."""

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis
import yaml

from deploy.settings import POLICIES
from deploy.wiring import journal_of
from domain.bank.events import DayClosed
from domain.households.events import MembershipChanged
from streams.broker.kafka import INTERACTIONS, Broker
from streams.ingest.cloudevents import BATCH, STRUCTURED, write_batch
from tests.conftest import Running, settings_in, wait_until

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "reported_faults.yaml").read_text(encoding="utf-8")
)
ACCEPTED = [case for case in CASES if "refused" not in case]
REFUSED = [case for case in CASES if "refused" in case]
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack for all cases."""
    with Running(settings_in(tmp_path_factory.mktemp("reported"))) as made:
        yield made


def event_of(said: dict[str, Any], name: str) -> bytes:
    """A CloudEvent from its short form."""
    now = datetime.now(SHANGHAI)

    def day_of(said: Any) -> Any:
        """A day that is said in words."""
        if isinstance(said, str) and said.startswith("in "):
            return now.date() + timedelta(int(said.split()[1]))
        return now.date() if said == "today" else said

    day = day_of(said["day"])
    assert isinstance(day, date)
    time = said.get("time", f"{day}T10:15:00+08:00")
    if time.startswith("in "):
        time = (now + timedelta(int(time.split()[1]))).isoformat()
    return json.dumps(
        {
            "specversion": "1.0",
            "id": said.get("id", name),
            "source": "s",
            "type": f"tierfold.{said['type']}.v1",
            "subject": said["subject"],
            "time": time,
            "businessdate": str(day),
            "data": {name: day_of(value) for name, value in said["data"].items()},
        },
        default=str,
    ).encode()


def events_of(case: dict[str, Any]) -> list[bytes]:
    """What a case hands in."""
    if "raw" in case:
        return [case["raw"].encode()]
    return [event_of(said, f"{case['case']}/{at}") for at, said in enumerate(case["post"])]


def holds(answer: Any, part: Any) -> bool:
    """Whether an answer has all that a part of it has."""
    if isinstance(part, dict):
        return all(name in answer and holds(answer[name], some) for name, some in part.items())
    return bool(answer == part)


def lies_in(answer: Any, path: str) -> bool:
    """Whether there is something at a path of names."""
    first, _, rest = path.partition(".")
    return first in answer and (not rest or lies_in(answer[first], rest))


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case["case"])
def test_what_is_right_is_recorded_and_answered(running: Running, case: dict[str, Any]) -> None:
    """Events as a file hands them in, and questions about what came of them."""
    posted = running.client.post(
        "/v1/interactions", content=write_batch(events_of(case)), headers={"content-type": BATCH}
    )
    running.settle()

    assert posted.status_code == 201, posted.text
    for question in case["asks"]:
        asked = running.client.get(question["path"])
        answer = asked.json()
        reasons = [drop["reason"] for drop in answer.get("dropped", ())]
        assert asked.status_code == 200, answer
        assert holds(answer, question.get("has", {})), answer
        assert not [path for path in question.get("lacks", ()) if lies_in(answer, path)]
        assert {*question.get("reasons", reasons)} == {*reasons}
        assert question.get("some") in {None, *reasons}
        assert question.get("without") not in reasons


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["case"])
def test_what_is_wrong_is_refused_with_field_and_reason(
    running: Running, case: dict[str, Any]
) -> None:
    """Over HTTP at once; over Kafka in quarantine, once."""
    [raw] = events_of(case)
    kind = {"content-type": BATCH}
    ahead = write_batch([event_of(said, said["id"]) for said in case.get("behind", ())])
    running.client.post("/v1/interactions", content=ahead, headers=kind).raise_for_status()
    running.settle()
    before = running.counts()
    answer = running.client.post(
        "/v1/interactions", content=raw, headers={"content-type": STRUCTURED}
    )
    producer = Broker(running.settings.broker).producer()
    producer.send(INTERACTIONS, value=raw, partition=0).get(timeout=10)
    producer.close()
    wait_until(lambda: running.counts().quarantined > before.quarantined)
    entries = running.report("quarantine", "list", "--limit", "1000")["entries"]
    entry = max(entries, key=lambda each: each["quarantined_at"])

    [error] = answer.json()["errors"]
    assert (answer.status_code, error["field"]) == (422, case["refused"])
    assert case["said"] in error["detail"]
    assert (entry["field"], entry["reason"]) == (error["field"], error["detail"])
    assert running.counts().quarantined == before.quarantined + 1


def test_a_name_that_six_customers_events_have_is_each_ones_own(running: Running) -> None:
    """However many shards there are; and the household hears of all of them."""
    joined = {
        "type": "household-joined",
        "day": date(2026, 1, 2),
        "id": "batch-1",
        "data": {"household": "household:b4", "role": "member"},
    }
    raws = [event_of({**joined, "subject": f"customer:b4{number}"}, "") for number in range(6)]
    other = event_of({**joined, "subject": "customer:b40", "day": date(2026, 1, 3)}, "")

    def posted(raw: bytes) -> int:
        kind = {"content-type": STRUCTURED}
        return running.client.post("/v1/interactions", content=raw, headers=kind).status_code

    first, again, contradicted = [[posted(raw) for raw in some] for some in (raws, raws, [other])]
    running.settle()
    told = [
        event.data.member
        for shard in journal_of(running.settings)
        for event in shard.history("household:b4")
        if isinstance(event.data, MembershipChanged)
    ]

    assert (first, again, contradicted) == ([201] * 6, [200] * 6, [409])
    assert sorted(told) == [f"customer:b4{number}" for number in range(6)]
    assert running.report("replay", "verify")["found"] == 0


def test_a_transaction_under_another_id_is_booked_once(tmp_path: Path) -> None:
    """Where its source has a business key: told once more it is known, over HTTP and over Kafka;
    told otherwise it contradicts; undone it is by that key.
    """
    arrivals = tmp_path / "arrivals.yaml"
    keys = "business_keys: {s: {transaction-posted: [account, transaction]}}"
    shipped = (POLICIES / "arrivals.yaml").read_text(encoding="utf-8")
    arrivals.write_text(f"{shipped}\n{keys}\n", encoding="utf-8")
    data = {"transaction": "t", "account": "a", "amount": 500, "currency": "CNY", "kind": "card"}
    posted = {"subject": "customer:c7", "type": "transaction-posted", "day": date(2026, 1, 3)}
    one, again = (event_of({**posted, "data": data}, name) for name in ("1", "2"))
    other = event_of({**posted, "data": {**data, "amount": 501}}, "3")
    undone = {"event": "transaction-posted/a/t", "account": "a", "amount": 500, "currency": "CNY"}
    reversed_ = event_of(
        {
            "subject": "customer:c7",
            "type": "transaction-reversed",
            "day": date(2026, 1, 4),
            "data": {**undone, "posted": "2026-01-03"},
        },
        "4",
    )
    with Running(settings_in(tmp_path / "bank", arrivals=arrivals)) as bank:
        kind = {"content-type": STRUCTURED}
        codes = [
            bank.client.post("/v1/interactions", content=raw, headers=kind).status_code
            for raw in (one, again, other)
        ]
        producer = Broker(bank.settings.broker).producer()
        producer.send(INTERACTIONS, value=again, partition=0).get(timeout=10)
        producer.close()
        wait_until(lambda: bank.counts().already == 2)
        bank.settle()
        before = bank.client.get("/v1/customers/c7").json()["balances"]
        after = bank.client.post("/v1/interactions", content=reversed_, headers=kind).status_code
        bank.settle()

        assert (codes, after) == ([201, 200, 409], 201)
        assert before["a"]["balance"] == 500
        assert bank.client.get("/v1/customers/c7").json()["balances"]["a"]["balance"] == 0


def test_an_event_that_was_carried_in_another_way_is_the_same(running: Running) -> None:
    """Its source with a space, in a structured event and in a percent-encoded header; a header
    that is there twice is refused.
    """
    said = json.loads(
        event_of(
            {
                "subject": "customer:b3",
                "type": "transaction-posted",
                "day": date(2026, 1, 3),
                "data": {
                    "transaction": "t",
                    "account": "a",
                    "amount": 500,
                    "currency": "CNY",
                    "kind": "card",
                },
            },
            "b3",
        )
    ) | {"source": "/core deposits"}
    body = json.dumps(said.pop("data"))
    headers = [(f"CE-{name}", value.replace(" ", "%20")) for name, value in said.items()]
    plain = json.dumps({**said, "data": json.loads(body)})

    def posted(content: str, headers: list[tuple[str, str]]) -> int:
        return running.client.post("/v1/interactions", content=content, headers=headers).status_code

    first = posted(plain, [("content-type", STRUCTURED)])
    again = posted(body, [("content-type", "application/json"), *headers])
    twice = posted(body, [("content-type", "application/json"), *headers, headers[0]])
    running.settle()

    assert (first, again, twice) == (201, 200, 422)
    assert running.client.get("/v1/customers/b3").json()["balances"]["a"]["balance"] == 500


def test_a_file_with_a_mark_and_a_list_is_counted_event_by_event(
    running: Running, tmp_path: Path
) -> None:
    """The mark of its encoding belongs to no event; a list holds as many as it has."""
    visit = {"subject": "customer:b7", "type": "channel-visited", "data": {"channel": "app"}}
    one, two, three = (
        event_of({**visit, "day": date(2026, 1, 3)}, f"file/{number}") for number in range(3)
    )
    file = tmp_path / "marked.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + one + b"\n[" + two + b"," + three + b"]\n")
    running.settle()  # a look of the test before counts too

    report = running.report("feed", str(file))

    assert (report["sent"], report["recorded"], report["quarantined"]) == (3, 3, 0)


def test_a_sender_of_a_file_is_told_that_not_all_of_it_was_recorded(
    running: Running, tmp_path: Path
) -> None:
    """By the exit code, and by a sentence that says where to look."""
    file = tmp_path / "wrong.jsonl"
    said = {"subject": "customer:f2", "type": "customer-onboarded", "data": {"source": "branch"}}
    file.write_bytes(event_of({**said, "day": date(2098, 1, 3)}, "wrong"))

    done = running.run("feed", str(file))

    assert done.returncode == 1
    assert b"1 were not recorded: `tierfold quarantine list` says why" in done.stderr


def test_what_the_stack_writes_is_for_its_owner_alone(running: Running, tmp_path: Path) -> None:
    """States, logs, keys and what is given out: no file of it is open to others."""
    given = tmp_path / "given.json"
    running.report("privacy", "export", "b1", "--by", "li.wei", "--out", str(given))
    written = [given, *(path for path in running.settings.data_dir.rglob("*") if path.is_file())]

    assert open_to_others(written) == ["up.log"], "the test's"


def open_to_others(files: Iterable[Path]) -> list[str]:
    """The names of files that not their owner alone may read."""
    return [path.name for path in files if path.stat().st_mode & 0o077]


def test_a_household_with_a_sum_beyond_all_bounds_is_summed_whole(tmp_path: Path) -> None:
    """One member with as much as events can say, a hundred times: nothing of the bank's own is set
    aside, the other member is counted. What stays on disk of it is for its owner alone.
    """
    most, january = 10**15, {"type": "transaction-posted", "day": date(2026, 1, 3)}
    told = {"account": "a", "currency": "USD", "kind": "card"}
    money = [("c5a", most)] * 100 + [("c5b", 100)]
    said = [
        {
            "subject": f"customer:{who}",
            "type": "household-joined",
            "day": date(2026, 1, 2),
            "data": {"household": "household:c5", "role": "member"},
        }
        for who in ("c5a", "c5b")
    ]
    said += [
        {
            **january,
            "subject": f"customer:{who}",
            "data": {**told, "transaction": f"{at}", "amount": amount},
        }
        for at, (who, amount) in enumerate(money)
    ]
    last = {
        "subject": "bank",
        "type": "day-closed",
        "day": date(2026, 1, 31),
        "data": {"date": date(2026, 1, 31)},
    }
    with Running(settings_in(tmp_path)) as bank:
        for part in (said, [last]):
            raw = write_batch([event_of(each, f"{len(part)}/{at}") for at, each in enumerate(part)])
            kind = {"content-type": BATCH}
            bank.client.post("/v1/interactions", content=raw, headers=kind).raise_for_status()
            bank.settle()
        whole = bank.client.get("/v1/households/c5").json()
        found = bank.report("replay", "verify")["found"]
        aside = bank.counts().quarantined
        bank.report("replay", "facts")
        bank.stop()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]

    [month] = whole["months"]
    [asset] = whole["months"][month]["total"]["assets"]
    assert (month, whole["months"][month]["members"]) == ("2026-01", 2)
    assert (asset["closing"], asset["balance_days"]) == (10**17 + 100, 29 * (10**17 + 100))
    assert (found, aside) == (0, 0)
    assert {"dump.rdb", "facts.json"} <= {path.name for path in written}
    assert open_to_others(written) == ["up.log"], "the test's"


def test_redis_is_for_who_can_read_the_banks_folder(running: Running) -> None:
    """Another account of the machine is not let in; nobody changes where Redis writes."""
    stranger = redis.Redis.from_url(running.settings.redis)
    ours = redis.Redis.from_url(running.settings.redis_url)
    commands = [
        Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8") for pid in running.pids().values()
    ]

    with pytest.raises(redis.AuthenticationError):
        stranger.ping()
    for command in (
        ("MODULE", "LOAD", "/x.so"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("SHUTDOWN",),
        ("DEBUG", "SEGFAULT"),
    ):
        with pytest.raises(redis.ResponseError, match="no permissions"):
            ours.execute_command(*command)
    with pytest.raises(redis.ResponseError, match="no permissions"):
        ours.config_set("dir", "/")
    assert ours.ping()
    assert running.settings.redis_password.read_text(encoding="ascii") not in "".join(commands)


def test_a_day_far_behind_the_last_needs_a_person(running: Running) -> None:
    """Set aside from a sender; closed by a command that names who and why; a resend is harmless."""
    first, later = (
        event_of(
            {"subject": "bank", "type": "day-closed", "day": day, "data": {"date": day}}, f"{day}"
        )
        for day in (date(2026, 1, 31), date(2026, 7, 31))
    )

    def posted(raw: bytes) -> int:
        kind = {"content-type": STRUCTURED}
        return running.client.post("/v1/interactions", content=raw, headers=kind).status_code

    before = (posted(first), posted(later))
    closed = running.report("close-day", "2026-07-31", "--by", "li.wei", "--reason", "a move")
    refused = running.run("close-day", "2091-01-01", "--by", "li.wei", "--reason", "a move")
    running.settle()
    said = [
        event.data
        for shard in journal_of(running.settings)
        for event in shard.own()
        if isinstance(event.data, DayClosed) and event.data.by
    ]

    assert before == (201, 422)
    assert (closed["closed"], refused.returncode) == ("2026-07-31", 2)
    assert {(each.date, each.by, each.reason) for each in said} == {
        (date(2026, 7, 31), "li.wei", "a move")
    }
    assert len(said) == running.settings.shards
    assert posted(first) == 200
