"""How does a comparison look to people? One HTML file with charts and nothing to load; movers as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape

from replay.compare import Comparison
from replay.whatif import Curve

_templates = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=select_autoescape(), trim_blocks=True, lstrip_blocks=True)


def as_html(found: Sequence[Comparison], curve: Curve | None) -> str:
    """The report: from tier to tier, by segment, the curve, and the named movers."""
    return _templates.get_template("comparison.html").render(comparisons=found, curve=curve)


def as_csv(found: Sequence[Comparison], _curve: Curve | None) -> str:
    """The named movers of every comparison, one line each; amounts in minor units."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["policy", "customer", "before", "after", "month", "assets", "seen", "missing"])
    for each in found:
        for mover in each.movers:
            seen = "; ".join(f"{name}={value}" for name, value in mover.seen.items())
            writer.writerow([each.new, mover.customer, mover.before, mover.after, mover.month, mover.assets, seen, "; ".join(mover.missing)])
    return text.getvalue()
