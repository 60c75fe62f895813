"""People check, try, bring, compare, approve and promote a rule over HTTP, each step a job."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest
import yaml

from deploy.settings import POLICIES
from domain.customers.events import CustomerOnboarded, IdentitiesMerged
from domain.rollout.lifecycle import OWNERS
from streams.broker.kafka import INTERACTIONS, Broker
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, proposed, settings_in, wait_until

BANK = Bank(60, 4, 5)
OTHERS = ("catalogue", "privacy", "arrivals")
RULE = (POLICIES / "tiers" / "bohai-retail.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A small bank of four months."""
    with Running(settings_in(tmp_path_factory.mktemp("jobs"))) as made:
        made.run("feed", "-", input=b"\n".join(map(write, synth(BANK))))
        made.settle()
        yield made


def begin(client: httpx.Client, name: str | None = None, **asked: Any) -> httpx.Response:
    """Ask for a job."""
    return client.put(f"/v1/jobs/{name or token_hex(16)}", json=asked)


def ended(client: httpx.Client, **asked: Any) -> dict[str, Any]:
    """A job that was asked for, once it has ended."""
    answer = begin(client, **asked)
    for _ in range(60):
        if answer.status_code != 503:
            break
        time.sleep(1)  # as many run as may
        answer = begin(client, **asked)
    assert answer.status_code == 201, answer.text
    for _ in range(20):
        found = client.get(f"/v1/jobs/{answer.json()['job']}", params={"wait": 10})
        assert found.status_code == 200, found.text
        job: dict[str, Any] = found.json()
        if job["state"] != "running":
            return job
    raise AssertionError(job)


def lower(rule: str, version: int = 2) -> str:
    """The shipped rule, with every bound of assets a tenth."""
    said = yaml.safe_load(rule)
    return str(yaml.safe_dump(with_less(said) | {"version": version}, allow_unicode=True))


def with_less(said: Any) -> Any:
    """The same with every amount a tenth."""
    if isinstance(said, dict):
        return {
            name: each // 10 if name == "at_least" and isinstance(each, int) else with_less(each)
            for name, each in said.items()
        }
    return [with_less(each) for each in said] if isinstance(said, list) else said


def test_a_rule_goes_from_a_text_to_the_live_version_and_back(running: Running) -> None:
    """Whoever brought it cannot approve; everybody whom it moves is told; a roll-back ends it."""
    policy = lower(RULE)
    with (
        running.calls("tier-owner", who="Li.Wei") as li,
        running.calls("tier-owner", who="zhang.min") as zhang,
    ):
        checked = ended(li, kind="check", of="tier", policy=policy, language="zh")
        tried = ended(li, kind="try", of="tier", policy=policy)
        brought = ended(li, kind="propose", of="tier", policy=policy)
        version = brought["result"]["version"]
        compared = ended(zhang, kind="compare", of="tier", version=version)
        this = {"of": "tier", "version": version, "report": compared["result"]["digest"]}
        own = ended(li, kind="approve", **this)
        early = ended(li, kind="promote", of="tier", version=version)
        approved = ended(zhang, kind="approve", **this)
        promoted = ended(li, kind="promote", of="tier", version=version)
        policies = li.get("/v1/policies").json()
        back = ended(zhang, kind="roll-back", of="tier", reason="a test")

    assert any("钻石" in rung["name"] for rung in checked["result"]["ladder"])
    assert tried["result"]["up"] > 0
    assert compared["result"]["up"] == tried["result"]["up"]
    assert {mover["customer"] for mover in compared["result"]["movers"]} == {None}
    assert (own["state"], early["state"]) == ("refused", "refused")
    assert "somebody else has to approve it" in own["error"]
    assert approved["result"]["approved_by"] == "zhang.min"
    assert promoted["result"]["told"] == compared["result"]["up"]
    assert policies["tier"]["retail"]["version"] == "bohai-retail@2"
    assert back["result"]["live"] == promoted["result"]["before"]
    running.settle()
    running.must_agree()


def test_a_rule_is_tried_with_other_bounds_around_its_own(running: Running) -> None:
    """The higher the bound, the fewer stand there; at its own as many as the trial tells."""
    with running.calls("tier-owner") as client:
        tried = ended(client, kind="try", of="tier", policy=lower(RULE, 9))["result"]
    places = [each for each in tried["columns"] if each != "unassessed"]
    there = {
        tier: sum(row[tried["columns"].index(tier)] for row in tried["counts"]) for tier in places
    }

    assert [each["tier"] for each in tried["curves"]] == [
        each["tier"] for each in yaml.safe_load(RULE)["tiers"] if "reach" in each
    ]
    for each in tried["curves"]:
        counts = {point["threshold"]: point["customers"] for point in each["points"]}
        above = places[places.index(each["tier"]) :]
        assert [*counts.values()] == sorted(counts.values(), reverse=True)
        assert counts[each["bound"]] == sum(there[tier] for tier in above)
        assert len(counts) > 1


def test_another_text_under_a_version_that_was_brought_is_refused(running: Running) -> None:
    """Whether it is checked or proposed; the same text is not, nor is the next number."""
    taken = lower(RULE, 1)
    with running.calls("tier-owner") as client:
        refused = [
            ended(client, kind=kind, of="tier", policy=taken) for kind in ("check", "propose")
        ]
        same = ended(client, kind="check", of="tier", policy=RULE)
        [free] = {int(each["error"].split()[-3]) for each in refused}
        next_one = ended(client, kind="check", of="tier", policy=lower(RULE, free))

    assert {each["state"] for each in refused} == {"refused"}
    assert "version: bohai-retail@1 is there with another text" in refused[0]["error"]
    assert (same["state"], next_one["state"]) == ("done", "done")


def test_a_faulty_text_is_refused_with_its_place(running: Running) -> None:
    """What is wrong, and where, as the command line says it; and the text is still there."""
    policy = RULE.replace("version: 1", "version: one", 1)
    with running.calls("tier-owner") as client:
        job = ended(client, kind="check", of="tier", policy=policy)
        mixed = ended(client, kind="propose", of="precedence", policy=RULE)

    assert (job["state"], job["asked"]["policy"]) == ("refused", policy)
    assert "version: a whole number is meant" in job["error"]
    assert (mixed["state"], mixed["error"]) == (
        "refused",
        "this is a policy of tier, not of precedence",
    )


def test_a_job_is_put_once_and_seen_by_whoever_might_ask_for_it(running: Running) -> None:
    """Twice the same is one; something else under its name is refused; others see nothing."""
    name, asked = token_hex(16), {"kind": "check", "of": "tier", "policy": RULE}
    with (
        running.calls("tier-owner") as owner,
        running.calls("privacy-officer") as officer,
        running.calls("supervisor") as supervisor,
    ):
        statuses = [
            begin(owner, name, **asked).status_code,
            begin(owner, name, **asked).status_code,
            begin(owner, name, **asked | {"policy": "other"}).status_code,
            begin(officer, token_hex(16), **asked).status_code,
            begin(supervisor, token_hex(16), **asked).status_code,
            begin(owner, token_hex(16), kind="forget").status_code,
            begin(owner, "../../etc/passwd", **asked).status_code,
        ]
        seen = [client.get(f"/v1/jobs/{name}").status_code for client in (owner, officer)]
        listed = [
            {job["job"] for job in client.get("/v1/jobs").json()["jobs"]}
            for client in (owner, officer)
        ]

    assert statuses == [201, 201, 409, 403, 403, 422, 404]
    assert seen == [200, 404]
    assert name in listed[0] - listed[1]


def test_the_whole_bank_is_verified_from_afar(running: Running) -> None:
    """Every event and every state, with how far it is meanwhile."""
    with running.calls("auditor") as client, running.calls("operator") as operator:
        job = ended(client, kind="verify")
        refused = begin(operator, kind="verify")

    assert (job["state"], job["result"]["found"]) == ("done", 0)
    assert job["result"]["events"] > 1_000
    assert job["done"] > 0
    assert refused.status_code == 403


@pytest.mark.parametrize("of", OTHERS)
def test_every_other_policy_goes_the_same_way(running: Running, of: str) -> None:
    """Proposed, compared with what is live, approved by another person, live, and taken back."""
    role = OWNERS[of]
    file = {"privacy": "privacy.yaml", "arrivals": "arrivals.yaml", "catalogue": "offers.yaml"}[of]
    text = (POLICIES / file).read_text(encoding="utf-8")
    policy = re.sub(r"version: (\d+)", lambda found: f"version: {int(found[1]) + 1}", text, count=1)
    with running.calls(role, who="li.wei") as li, running.calls(role, who="zhang.min") as zhang:
        tried = ended(li, kind="try", of=of, policy=policy)
        version = ended(li, kind="propose", of=of, policy=policy)["result"]["version"]
        compared = ended(zhang, kind="compare", of=of, version=version)["result"]
        digest = {"report": compared["digest"]}
        approved = ended(zhang, kind="approve", of=of, version=version, **digest)
        live = ended(zhang, kind="promote", of=of, version=version)
        back = ended(li, kind="roll-back", of=of, reason="a test")

    assert [each["place"] for each in tried["result"]["changes"]] == ["version"]
    assert [each["place"] for each in compared["changes"]] == ["version"]
    assert approved["result"]["approved_by"] == "zhang.min"
    assert live["result"]["live"].endswith(version)
    assert back["result"]["live"] == live["result"]["before"]


def test_an_operator_ends_a_job_of_others_without_seeing_it(running: Running) -> None:
    """It is listed without what was asked; whoever asked sees by whom it was ended."""
    name = token_hex(16)
    running.kill("agents")
    with running.calls("tier-owner") as owner, running.calls("operator", who="chen") as operator:
        begin(owner, name, kind="propose", of="tier", policy=lower(RULE, 7))
        listed = {job["job"]: job for job in operator.get("/v1/jobs").json()["jobs"]}
        hidden = operator.get(f"/v1/jobs/{name}")
        ended_it = operator.delete(f"/v1/jobs/{name}")
        job = owner.get(f"/v1/jobs/{name}").json()

    assert "policy" not in listed[name]["asked"]
    assert (hidden.status_code, ended_it.status_code) == (404, 200)
    assert (job["state"], job["ended_by"]) in {("cancelled", "chen"), ("done", None)}


def test_the_operator_sees_how_the_bank_stands_and_clears_the_quarantine(running: Running) -> None:
    """Outcomes that add up, the lag of each group; an entry is sent again, another let go."""
    before = running.counts()
    for number in range(2):
        bad = {"specversion": "1.0", "id": f"bad-{number}", "source": "core", "type": "no.such.v1"}
        put_aside(running, json.dumps(bad | {"subject": "customer:7"}).encode())
    wait_until(lambda: running.counts().quarantined == before.quarantined + 2)
    with running.calls("operator", who="chen") as client:
        stands = client.get("/v1/operations").json()
        found = client.get("/v1/quarantine", params={"source": "core"}).json()
        first = client.get("/v1/quarantine", params={"source": "core", "limit": 1}).json()
        one, other = [each["entry"] for each in found["entries"][:2]]
        sent = ended(client, kind="re-drive", entry=one, reason="again")
        gone = ended(client, kind="discard", entry=other, reason="a mistake")
        again = ended(client, kind="discard", entry="0/999999", reason="a mistake")
        left = [each["entry"] for each in client.get("/v1/quarantine").json()["entries"]]

    assert stands["faults"] == []
    assert stands["outcomes"]["balanced"]
    assert stands["outcomes"]["arrived"] >= before.arrived
    assert "customers@5" in {each["group"] for each in stands["groups"]}
    assert (len(first["entries"]), first["more"], found["more"]) == (1, True, False)
    assert "customer:7" not in json.dumps(found)
    assert (sent["result"]["fate"], gone["result"]["fate"]) == ("re-driven", "discarded")
    assert again["state"] == "refused"
    assert not {one, other} & {*left}
    listed = running.report("quarantine", "list", "--all")["entries"]
    fates = {each["entry"]: each["fate"] for each in listed}
    assert (fates[one], fates[other]) == ("re-driven", "discarded")


def put_aside(running: Running, raw: bytes) -> None:
    """Send what cannot be read."""
    producer = Broker(running.settings.broker).producer()
    producer.send(INTERACTIONS, value=raw, partition=0).get(timeout=10)
    producer.close()


def test_what_became_of_offers_is_counted_and_names_nobody(running: Running) -> None:
    """Where they fell away in the last days; what choosing them brought, while nobody answers."""
    with running.calls() as client:
        numbers = [f"{100_000 + number}" for number in range(20)]
        known = [
            number
            for number in numbers
            if client.get(
                f"/v1/customers/{number}/next-best-offer", params={"channel": "app"}
            ).status_code
            == 200
        ]
    running.settle()
    with running.calls("tier-owner") as owner, running.calls("operator") as operator:
        fell = ended(owner, kind="funnel", days="1")["result"]
        worth = ended(owner, kind="value")["result"]
        refused = begin(operator, kind="funnel").status_code

    assert len(known) > 10
    assert fell["decisions"] == fell["looked_at"] >= 10
    assert {each["offer"] for each in fell["offers"]} == {
        offer["offer"] for offer in yaml.safe_load((POLICIES / "offers.yaml").read_text())["offers"]
    }
    for each in fell["offers"]:
        fallen = sum(stage["decisions"] for stage in each["fallen"])
        assert abs(each["passed"] + fallen - fell["looked_at"]) <= 5 * (len(each["fallen"]) + 2)
    assert worth == {"answered": 0, "arms": []}
    assert refused == 403


def test_a_supervisor_finds_customers_by_their_whole_name_for_themselves_alone(
    running: Running,
) -> None:
    """Whatever its case and width, not by its beginning; whoever reads it looks at them."""
    names = {
        event.stream.removeprefix("customer:"): event.data.name
        for event in synth(BANK)
        if isinstance(event.data, CustomerOnboarded) and event.data.name
    }
    number, name = next((one, said) for one, said in names.items() if len(said) > 2)
    wide = "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in name)
    with (
        running.calls("supervisor", who="zhou") as supervisor,
        running.calls("supervisor", who="qian") as colleague,
        running.calls("auditor") as auditor,
    ):
        found = ended(supervisor, kind="find", called=name)
        again = begin(supervisor, found["job"], kind="find", called=name).json()
        other = ended(supervisor, kind="find", called=wide.upper())["result"]
        latin = " ".join(word for word in name.split() if word.isascii())
        by_latin = ended(supervisor, kind="find", called=latin)["result"]["customers"]
        beginning = ended(supervisor, kind="find", called=name[:-1])["result"]["customers"]
        blank = ended(supervisor, kind="find", called=" \u3000 ")
        refused = begin(auditor, kind="find", called=name).status_code
        hidden = [
            client.get(f"/v1/jobs/{found['job']}").status_code for client in (colleague, auditor)
        ]
        lists = supervisor.get("/v1/jobs").text + colleague.get("/v1/jobs").text
    running.settle()
    looks = running.report("audit", "access", number)["looks"]
    told = {each["customer"]: each["name"] for each in found["result"]["customers"]}

    assert number in told
    assert told[number] != name
    assert other == found["result"]
    assert number in {each["customer"] for each in by_latin}
    assert number not in {each["customer"] for each in beginning}
    assert (blank["state"], refused, hidden) == ("refused", 403, [404, 404])
    assert name not in lists
    read = [look for look in looks if (look["who"], look["what"]) == ("zhou", "find")]
    assert again["result"] == found["result"]
    assert len(read) >= 4, "as often as it was told: three searches, and one asked for again"
    assert "qian" not in {look["who"] for look in looks}


def test_nobody_is_found_of_whom_a_number_is_restricted(running: Running) -> None:
    """Neither by that number nor by another of the person; they are when it is lifted."""
    [one, other] = [
        event.stream.removeprefix("customer:")
        for event in synth(BANK)
        if isinstance(event.data, CustomerOnboarded)
    ][-2:]
    named = CustomerOnboarded(source="branch", name="Zhuge Restricted")
    said = [proposed(named, f"named-{each}", f"customer:r-{each}") for each in (one, other)]
    joined = IdentitiesMerged(other=f"customer:r-{other}", reason="one passport")
    said.append(proposed(joined, "joined", f"customer:r-{one}"))
    running.run("feed", "-", input=b"\n".join(map(write, said)))
    running.settle()
    with (
        running.calls("supervisor", who="zhou") as supervisor,
        running.calls("privacy-officer") as officer,
    ):
        before = ended(supervisor, kind="find", called="zhuge restricted")["result"]
        ended(officer, kind="restrict", customer=f"r-{one}", reason="a test")
        closed = ended(supervisor, kind="find", called="zhuge restricted")["result"]
        ended(officer, kind="lift", customer=f"r-{one}", reason="a test")
        running.settle()
        after = ended(supervisor, kind="find", called="zhuge restricted")["result"]

    assert len(before["customers"]) == 2
    assert closed == {"customers": [], "more": False}
    assert len(after["customers"]) == 2


def test_what_is_known_and_what_proves_it_is_taken_away_as_a_file(
    running: Running, tmp_path: Path
) -> None:
    """By whom it concerns alone; each look is on record, and the proof holds."""
    streams = sorted({each.stream for each in synth(BANK) if each.stream.startswith("customer:")})
    number = streams[-1].removeprefix("customer:")
    with (
        running.calls("privacy-officer", who="he.jing") as officer,
        running.calls("auditor", who="wang.fang") as auditor,
        running.calls("operator") as operator,
        running.calls("privacy-officer", who="colleague") as colleague,
    ):
        given = ended(officer, kind="export", customer=number)
        proven = ended(auditor, kind="bundle", customer=number)
        unknown = ended(auditor, kind="bundle", customer="nobody")
        files = [
            officer.get(f"/v1/jobs/{given['job']}/file"),
            auditor.get(f"/v1/jobs/{proven['job']}/file"),
        ]
        told = operator.get("/v1/jobs").text
        colleague.get(f"/v1/jobs/{given['job']}/file").raise_for_status()
        others = [
            auditor.get(f"/v1/jobs/{given['job']}/file").status_code,
            officer.get(f"/v1/jobs/{proven['job']}/file").status_code,
            auditor.get(f"/v1/jobs/{unknown['job']}/file").status_code,
        ]
    running.settle()
    (tmp_path / "b.bundle").write_bytes(files[1].content)
    looks = running.report("audit", "access", number)["looks"]
    known = json.loads(files[0].content)

    assert (given["state"], proven["state"], unknown["state"]) == ("done", "done", "refused"), (
        proven
    )
    assert (known["customer"], len(known["events"])) == (number, given["result"]["events"])
    assert files[0].headers["content-disposition"] == f'attachment; filename="{number}.json"'
    assert running.run("audit", "verify", str(tmp_path / "b.bundle")).returncode == 0
    assert others == [404, 404, 404]
    assert (given["job"] in told, number in told) == (True, False)
    assert {("he.jing", "export"), ("colleague", "export"), ("wang.fang", "bundle")} <= {
        (look["who"], look["what"]) for look in looks
    }
    kept = [path for path in running.settings.jobs_dir.iterdir() if path.suffix == ".given"]
    assert [path for path in kept if path.stat().st_mode & 0o077] == []


def test_a_privacy_officer_restricts_lifts_and_forgets(running: Running) -> None:
    """As the commands do, with a certificate; not before its time unless that is said, and the
    customer's number is told to nobody else.
    """
    customer = next(each.stream for each in synth(BANK) if each.stream.startswith("customer:"))
    number = customer.removeprefix("customer:")
    order = {"customer": number, "reason": "a dispute"}
    with (
        running.calls("privacy-officer", who="He.Jing") as officer,
        running.calls("operator") as operator,
    ):

        def status() -> int:
            return running.client.get(f"/v1/customers/{number}").status_code

        restricted = ended(officer, kind="restrict", **order)
        during = status()
        lifted = ended(officer, kind="lift", **order)
        wait_until(lambda: status() == 200)
        early = ended(officer, kind="forget", **order)
        unknown = ended(officer, kind="forget", customer="nobody", reason="asked")
        named = begin(officer, kind="restrict", customer=number, reason="call 13800138000")
        report = ended(officer, kind="due")["result"]
        told = operator.get("/v1/jobs").text
        forgotten = ended(officer, kind="forget", **order, early=True)
        unended = officer.delete(f"/v1/jobs/{forgotten['job']}").status_code
        wait_until(lambda: status() == 404)
        refused = begin(operator, kind="forget", **order, early=True).status_code

    certificate = running.settings.data_dir / "certificates" / forgotten["result"]["certificate"]
    assert (restricted["state"], lifted["state"], during) == ("done", "done", 403)
    assert (early["state"], "have not left" in early["error"]) == ("refused", True)
    assert (unknown["state"], named.status_code, unended) == ("refused", 422, 409)
    assert (report["restricted"], report["due"]) == (0, [])
    assert (forgotten["state"], forgotten["result"]["undone"]) == ("done", [])
    assert forgotten["result"]["wrong"] == []
    assert f"forgotten {customer}" in certificate.read_text(encoding="utf-8")
    assert "by he.jing" in certificate.read_text(encoding="utf-8")
    assert [*running.settings.jobs_dir.glob("*.given")] == []
    assert (refused, early["job"] in told) == (403, True)
    assert [word for word in (number, "a dispute", "have not left") if word in told] == []
    assert running.report("replay", "verify")["found"] == 0
