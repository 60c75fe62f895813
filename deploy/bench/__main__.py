"""`make bench`: measure, print a table of each part as it comes, write bench.json and bench.svg.

Some parts alone with `ARGS="fold lookups"`.
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from deploy.bench.parts import Figure

SHARDS = 4
WIDE = 140
DATA = Path("../shared/data")
"""Real data, where it lies beside the project."""


def main() -> None:
    """Measure what is asked for; everything takes more than half an hour.

    Each part is written when it is measured, in the place of what was there of it.
    """
    # Processes that fold beside this one read this file anew: what only this one needs is imported here and below.  # noqa: E501
    from deploy.bench.curves import curves
    from deploy.bench.parts import machine, versions
    from deploy.bench.plots import drawn
    from deploy.observability.logs import set_up_logs
    from deploy.processes import collect_seldom

    parts = _parts()
    asked = argparse.ArgumentParser(
        prog="make bench",
        description="Measure tierfold beside its ceilings and peers, on this machine.",
    )
    asked.add_argument(
        "parts",
        nargs="*",
        metavar="PART",
        help=f"what to measure, everything by default: {', '.join(parts)}",
    )
    asked.add_argument(
        "--out",
        type=Path,
        default=Path("bench.json"),
        help="the file to write; the picture goes beside it",
    )
    given = asked.parse_args()
    if unknown := sorted({*given.parts} - parts.keys()):
        asked.error(f"there is no part {unknown[0]}: choose from {', '.join(parts)}")
    set_up_logs("error", "bench")
    collect_seldom()
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    here = {"machine": machine(), "versions": versions()}
    measured = _measured_before(given.out, here)
    for name in given.parts or parts:
        measured[name] = parts[name]()
        console.print(_table(name, measured[name]))
        document = {
            **here,
            "parts": {
                name: [figure.as_json() for figure in figures] for name, figures in measured.items()
            },
        }
        given.out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        everything = [figure for figures in measured.values() for figure in figures]
        given.out.with_suffix(".svg").write_text(drawn(everything), encoding="utf-8")
        if (models := curves(everything)) is not None:
            given.out.with_suffix(".models.svg").write_text(models, encoding="utf-8")
    console.print(f"written to {given.out} and {given.out.with_suffix('.svg')}")


def _parts() -> "dict[str, Callable[[], list[Figure]]]":
    """What can be measured, by name, in the order in which everything is.

    Data that is not beside the project is left out.
    """
    from deploy.bench.bank_marketing import bank_marketing
    from deploy.bench.bundle import bundle
    from deploy.bench.console import console
    from deploy.bench.cost import cost
    from deploy.bench.drifting import drifting
    from deploy.bench.fold import fold
    from deploy.bench.foresight import foresight
    from deploy.bench.ingest import ingest
    from deploy.bench.live_fold import live_fold
    from deploy.bench.lookups import lookups
    from deploy.bench.loss import loss
    from deploy.bench.made_up import made_up
    from deploy.bench.made_up_market import made_up_market
    from deploy.bench.market import market
    from deploy.bench.one_more_group import cost_of_a_group
    from deploy.bench.open_bandit import open_bandit
    from deploy.bench.parts import events_by_shard
    from deploy.bench.path import end_to_end, in_turn, latency, stack
    from deploy.bench.persons import persons
    from deploy.bench.real import on_real_components
    from deploy.bench.rebuild import rebuild
    from deploy.bench.remade import remade
    from deploy.bench.scaling import scaling
    from deploy.bench.schemes import schemes
    from deploy.bench.side_by_side import side_by_side
    from deploy.bench.stock_faust import stock_faust
    from deploy.bench.what_if import what_if
    from deploy.policy_files import read_policy
    from deploy.settings import POLICIES
    from streams.sources.synth import Bank

    policy = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
    bank = cache(lambda: events_by_shard(Bank(customers=2_000, months=4, seed=1), SHARDS))
    into, folded = cache(lambda: ingest(bank())), cache(lambda: fold(bank()))
    parts: dict[str, Callable[[], list[Figure]]] = {
        "ingest": lambda: [into()],
        "fold": lambda: [folded()],
        "end-to-end": lambda: [
            end_to_end(
                bank(), {"ingest alone": into().value, "fold alone": folded().value}, folded().peers
            )
        ],
        "cost": lambda: [
            *cost(
                stack,
                in_turn(bank()),
                {name: peer.cost for name, peer in stock_faust().items()},
            ),
            cost_of_a_group(bank()[0]),
        ],
        "schemes": lambda: schemes(in_turn(bank())),
        "scaling": scaling,
        "real": lambda: on_real_components(bank()),
        "live-fold": live_fold,
        "loss": loss,
        "latency": latency,
        "lookups": lookups,
        "console": console,
        "persons": persons,
        "remade": remade,
        "what-if": what_if,
        "rebuild": rebuild,
        "bundle": bundle,
        "market": lambda: [*market(policy), *side_by_side(policy)],
        "drifting": drifting,
        "made-up": lambda: made_up(Path("bench.made-up.svg")),
        "made-up-market": lambda: made_up_market(policy),
        "foresight": foresight,
    }
    if DATA.is_dir():
        parts["bank-marketing"] = lambda: bank_marketing(DATA / "bank-marketing-first-30000.csv")
        parts["open-bandit"] = lambda: open_bandit(DATA / "obd")
    return parts


def _measured_before(out: Path, here: dict[str, Any]) -> "dict[str, list[Figure]]":
    """The figures of an earlier run, by part.

    None if that was on another machine, or with other versions.
    """
    from deploy.bench.parts import Figure

    known = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    if not known.items() >= here.items():
        return {}
    return {
        name: [Figure(**figure) for figure in figures]
        for name, figures in known.get("parts", {}).items()
    }


def _table(title: str, figures: "list[Figure]") -> Table:
    table = Table("figure", "value", "unit", "beside", "there", "ratio", title=title)
    for figure in figures:
        table.add_row(figure.name, _figure(figure.value), figure.unit, "", "", "")
        for kind, others in (("ceiling", figure.ceilings), ("peer", figure.peers)):
            for name, there in others.items():
                table.add_row(
                    "",
                    "",
                    "",
                    f"{kind}: {name}",
                    _figure(there),
                    f"{figure.value / there:.2f}" if there else "",
                )
    return table


def _figure(value: float) -> str:
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:,.4f}"


if __name__ == "__main__":
    main()
