"""`make bench`: measure, print a table, write bench.json and bench.svg."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from deploy.bench.parts import Figure

SHARDS = 4
WIDE = 140
DATA = Path("../shared/data")
"""Real data, where it lies beside the project."""


def main(out: Path) -> None:
    """Measure everything; more than half an hour. Data that is not beside the project is left out."""
    # Processes that fold beside this one read this file anew: what only this one needs is imported here.
    from deploy.bench.bank_marketing import bank_marketing
    from deploy.bench.bundle import bundle
    from deploy.bench.fold import fold
    from deploy.bench.ingest import ingest
    from deploy.bench.live_fold import live_fold
    from deploy.bench.lookups import lookups
    from deploy.bench.loss import loss
    from deploy.bench.market import market
    from deploy.bench.open_bandit import open_bandit
    from deploy.bench.parts import events_by_shard, machine, versions
    from deploy.bench.path import end_to_end, latency
    from deploy.bench.plots import drawn
    from deploy.bench.real import on_real_components
    from deploy.bench.rebuild import rebuild
    from deploy.bench.remade import remade
    from deploy.bench.scaling import scaling
    from deploy.bench.side_by_side import side_by_side
    from deploy.bench.what_if import what_if
    from deploy.files import read_policy
    from deploy.logs import set_up_logs
    from deploy.processes import collect_seldom
    from deploy.settings import POLICIES
    from streams.sources.synth import Bank

    set_up_logs("error", "bench")
    collect_seldom()
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    events = events_by_shard(Bank(customers=2_000, months=4, seed=1), SHARDS)
    console.print(f"{sum(map(len, events.values())):,} events of a synthetic bank, {SHARDS} shards")
    into, folded = ingest(events), fold(events)
    whole = end_to_end(events, {"ingest alone": into.value, "fold alone": folded.value}, folded.peers)
    policy = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
    beside = [*scaling(), *on_real_components(events), *live_fold(), *loss()]
    figures = [into, folded, whole, *beside, *latency(), *lookups(), *remade(), *what_if(), *rebuild(), *bundle(), *market(policy), *side_by_side(policy)]
    figures += bank_marketing(DATA / "bank-marketing-first-30000.csv") if DATA.is_dir() else []
    figures += open_bandit(DATA / "obd") if DATA.is_dir() else []
    console.print(_table(figures))
    document = {"figures": [figure.as_json() for figure in figures], "machine": machine(), "versions": versions()}
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    (picture := out.with_suffix(".svg")).write_text(drawn(figures), encoding="utf-8")
    console.print(f"written to {out} and {picture}")


def _table(figures: "list[Figure]") -> Table:
    table = Table("figure", "value", "unit", "beside", "there", "ratio")
    for figure in figures:
        table.add_row(figure.name, _said(figure.value), figure.unit, "", "", "")
        for kind, others in (("ceiling", figure.ceilings), ("peer", figure.peers)):
            for name, there in others.items():
                table.add_row("", "", "", f"{kind}: {name}", _said(there), f"{figure.value / there:.2f}" if there else "")
    return table


def _said(value: float) -> str:
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:,.4f}"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "bench.json"))
