"""A stack that is started again with another rule: its own read models, folded from the journal; and back again."""

from pathlib import Path

from deploy.settings import POLICIES
from streams.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, settings_in

LIVE = POLICIES / "tiers" / "bohai-retail.yaml"


def test_a_restart_with_another_rule_leads_where_what_if_said_and_back(tmp_path: Path) -> None:
    """Nothing is left of the old rule in the new standings, and nothing of the old standings is lost."""
    candidate, bank = tmp_path / "candidate.yaml", tmp_path / "bank.jsonl"
    said = LIVE.read_text(encoding="utf-8").replace("version: 1", "version: 2").replace("at_least: 20000000}", "at_least: 6000000}")
    candidate.write_text(said.replace("misses_allowed: 3", "misses_allowed: 1"), encoding="utf-8")
    bank.write_bytes(b"\n".join(map(write, synth(Bank(300, 4, 2)))))
    settings = settings_in(tmp_path)
    under = {path: Running(settings.model_copy(update={"policy": path})) for path in (LIVE, candidate)}

    before = _digests(under[LIVE], bank)
    [told] = under[LIVE].report("replay", "what-if", str(candidate), "--from-journal")["comparisons"]
    after = _digests(under[candidate])
    [back] = under[candidate].report("replay", "what-if", str(LIVE), "--from-journal")["comparisons"]
    again = _digests(under[LIVE])

    assert told["up"] + told["down"] > 0
    assert before["tier@1"] != after["tier@1"]
    assert {name: each for name, each in before.items() if name != "tier@1"} == {name: each for name, each in after.items() if name != "tier@1"}
    assert [list(row) for row in zip(*told["counts"], strict=True)] == back["counts"]
    assert again == before


def _digests(running: Running, bank: Path | None = None) -> dict[str, str]:
    """Start, feed, settle and stop; live and rebuilt must be equal."""
    running.start()
    try:
        if bank is not None:
            running.report("feed", str(bank))
        running.settle()
        live = running.report("digest")
        assert live == running.report("digest", "--rebuild")
    finally:
        running.stop()
    return live
