"""What is known of somebody, from the first question to the last day.

Told, exported, restricted, lifted, and gone when its time is over.
"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from deploy.wiring import keyring_of
from domain.bank.events import DayClosed
from domain.customers.events import ContactStated, CustomerLeft, CustomerOnboarded
from domain.envelope import Proposed
from domain.event import BANK, Interaction
from domain.households.events import HouseholdJoined
from replay.erasure.register import Erasures
from streams.ingest.cloudevents import BATCH, write, write_batch
from streams.sources.synth import Bank, synth
from tests.conftest import Running, settings_in

WHY = ("--by", "li.wei", "--reason", "a dispute")


def on(day: date, stream: str, data: Interaction) -> bytes:
    """An event of a day."""
    return write(
        Proposed(
            "core",
            f"{stream}/{type(data).__name__}/{day}",
            stream,
            datetime(day.year, day.month, day.day, 12, tzinfo=UTC),
            day,
            data,
        )
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A small bank; two of a household.

    One who left ten years before the last day, one a day later, and one who came back.
    """
    with Running(settings_in(tmp_path_factory.mktemp("life"))) as made:
        lines = list(map(write, synth(Bank(customers=20, months=2, seed=3))))
        for name in ("wife", "husband"):
            lines.append(
                on(
                    date(2026, 1, 5),
                    f"customer:{name}",
                    CustomerOnboarded(name=name, source="branch"),
                )
            )
            lines.append(
                on(
                    date(2026, 1, 6),
                    f"customer:{name}",
                    ContactStated(medium="phone", value="13800138000", source="app"),
                )
            )
            lines.append(
                on(
                    date(2026, 1, 7),
                    f"customer:{name}",
                    HouseholdJoined(household="household:both", role="member"),
                )
            )
        for name, left in (
            ("long-gone", date(2016, 2, 28)),
            ("gone", date(2016, 3, 1)),
            ("back", date(2015, 1, 1)),
        ):
            lines.append(
                on(
                    date(2010, 1, 1),
                    f"customer:{name}",
                    CustomerOnboarded(name=name, source="branch"),
                )
            )
            lines.append(on(left, f"customer:{name}", CustomerLeft(source="branch")))
        lines.append(
            on(date(2026, 1, 1), "customer:back", CustomerOnboarded(name="back", source="branch"))
        )
        (made.settings.data_dir / "in.jsonl").write_bytes(b"\n".join(lines))
        made.report("feed", str(made.settings.data_dir / "in.jsonl"))
        made.settle()
        yield made


def agree(running: Running) -> None:
    """What is live is what a rebuild comes to, and every event is where it was."""
    running.settle()
    running.must_agree()
    assert running.report("replay", "verify")["found"] == 0
    assert running.report("audit", "verify-journal")["findings"] == []


def test_a_customer_gets_all_that_is_known_of_them(running: Running, tmp_path: Path) -> None:
    """Every event with its purpose, every state, who looked; as JSON and as a page.

    And the export itself is a look.
    """
    out, page = tmp_path / "wife.json", tmp_path / "wife.html"
    running.client.get("/v1/customers/wife")
    running.settle()
    running.report(
        "privacy", "export", "wife", "--by", "li.wei", "--out", str(out), "--html", str(page)
    )
    found = json.loads(out.read_text())
    [looked] = [
        look
        for look in running.report("audit", "access", "wife")["looks"]
        if look["what"] == "export"
    ]

    assert [event["type"] for event in found["events"]][:3] == [
        "customer-onboarded.v1",
        "contact-stated.v1",
        "household-joined.v1",
    ]
    assert {event["purpose"] for event in found["events"]} == {"contract"}
    assert found["states"]["profile"]["contacts"]["phone"]["value"] == "13800138000"
    assert [look["what"] for look in found["looks"]] == ["picture"]
    assert (looked["who"], looked["role"], looked["purpose"]) == (
        "li.wei",
        "privacy-officer",
        "privacy-request",
    )
    assert "13800138000" in page.read_text()
    assert (
        running.run("privacy", "export", "nobody", "--by", "x", "--out", str(out)).returncode == 2
    )


def test_the_report_says_what_is_known_and_held(running: Running, tmp_path: Path) -> None:
    """Policy, classes, counts, what is due, the assessment; and a page of all fields."""
    page = tmp_path / "report.html"
    found = running.report("privacy", "report", "--html", str(page))

    assert found["policy"] == "retail-privacy@1"
    assert (found["fields_C2"] > 30, found["due"], found["forgotten"]) == (True, 1, 0)
    assert found["subjects_with_a_key"] >= 25
    assert "Impact assessment" in page.read_text()
    assert "transaction-posted" in page.read_text()


def test_who_is_restricted_is_there_for_auditors_alone_until_it_is_lifted(
    running: Running, tmp_path: Path
) -> None:
    """Refused to channels, gone from the household; in a bundle for auditors.

    What comes for them meanwhile is recorded: lifted, they are as if nobody had restricted them.
    """
    restricted = running.report("privacy", "restrict", "wife", *WHY)
    running.settle()
    more = on(
        date(2026, 2, 1),
        "customer:wife",
        ContactStated(medium="email", value="x@example.com", source="app"),
    )
    posted = running.client.post(
        "/v1/interactions", content=write_batch([more]), headers={"content-type": BATCH}
    )

    assert restricted["wrong"] == []
    refused = running.client.get("/v1/customers/wife")
    assert (refused.status_code, "restricted since 20" in refused.text) == (403, True)
    assert running.client.get("/v1/customers/wife/explain?on=2026-01-15").status_code == 403
    assert running.client.get("/v1/households/both").json()["members"].keys() == {
        "customer:husband"
    }
    assert posted.status_code == 201, posted.text
    assert posted.json()[0]["outcome"] == "recorded"
    agree(running)
    running.report("audit", "bundle", "wife", "--out", str(tmp_path / "wife.bundle"))
    assert b"13800138000" in (tmp_path / "wife.bundle").read_bytes()

    lifted = running.report("privacy", "lift", "wife", *WHY)
    agree(running)

    assert lifted["wrong"] == []
    contacts = running.client.get("/v1/customers/wife").json()["profile"]["contacts"]
    assert contacts["phone"]["value"] == "13800138000"
    assert contacts["email"]["value"] == "x@example.com"
    assert running.client.get("/v1/households/both").json()["members"].keys() == {
        "customer:wife",
        "customer:husband",
    }


def test_who_must_be_kept_is_not_forgotten_by_mistake(running: Running) -> None:
    """A customer, and one who left not long enough ago: refused, with what to do instead."""
    for name in ("husband", "gone", "back"):
        done = running.run("privacy", "forget", name, *WHY)

        assert done.returncode == 2
        assert b"restrict them until then, or forget them early" in done.stderr
        assert running.client.get(f"/v1/customers/{name}").status_code == 200


def test_who_was_stopped_in_the_middle_is_told_to_go_on(running: Running) -> None:
    """Killed when the key was gone and nothing else was done.

    `replay` finds it, and knows the household that must be folded again.
    """
    settings, subject = running.settings, "customer:husband"
    keyring = keyring_of(settings)
    Erasures(settings.erasures_file).add(
        {subject: ["household:both"]}, datetime.now(UTC), "li.wei", "stopped"
    )
    keyring.destroy([subject])
    assert running.client.get("/v1/households/both").json()["members"].keys() == {
        "customer:wife",
        subject,
    }
    replayed = running.report("privacy", "replay")

    assert (replayed["subjects"], replayed["wrong"]) == ([subject], [])
    assert running.client.get("/v1/households/both").json()["members"].keys() == {"customer:wife"}
    assert running.report("privacy", "replay")["subjects"] == [subject]
    agree(running)


def test_a_reason_that_names_somebody_is_refused(running: Running) -> None:
    """It stands in the clear for ever.

    So is a number that nobody has, and a name that no event may have, before anything is changed.
    """
    for customer, by, reason, said in (
        ("back", "x", "call 13800138000", b"phone"),
        ("bakc", "x", "x", b"nothing was ever"),
        ("back", "li wei", "x", b"by"),
    ):
        done = running.run("privacy", "forget", customer, "--by", by, "--reason", reason, "--early")

        assert done.returncode == 2, done.stderr
        assert said in done.stderr
    assert running.client.get("/v1/customers/back").status_code == 200


def test_whose_time_is_over_by_the_last_day_that_closed_is_forgotten(running: Running) -> None:
    """By the bank's days and no clock.

    One of three, and another one, restricted until then, when one more day has closed; never who
    came back.
    """
    running.report("privacy", "restrict", "gone", *WHY)
    assert [each["customer"] for each in running.report("privacy", "due")["due"]] == [
        "customer:long-gone"
    ]
    first = running.report("privacy", "due", "--forget")
    closed = write_batch([on(date(2026, 3, 1), BANK, DayClosed(date=date(2026, 3, 1)))])
    assert (
        running.client.post(
            "/v1/interactions", content=closed, headers={"content-type": BATCH}
        ).status_code
        == 201
    )
    running.settle()
    second = running.report("privacy", "due", "--forget")

    certificate = running.run("audit", "certificate", first["certificate"])
    assert certificate.returncode == 0, certificate.stderr
    assert b"forgotten customer:long-gone" in certificate.stdout
    assert (first["subjects"], first["wrong"]) == (["customer:long-gone"], [])
    assert (second["subjects"], second["wrong"]) == (["customer:gone"], [])
    assert running.report("privacy", "due")["due"] == []
    assert running.client.get("/v1/customers/back").status_code == 200
    agree(running)
