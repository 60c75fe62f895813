"""How does a comparison look to people?

One HTML file with charts and nothing to load; movers as CSV and as Parquet.
"""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape

from deploy.terminal import UserError, errors
from replay.what_if.candidates import Curve
from replay.what_if.compare import Comparison

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(),
    trim_blocks=True,
    lstrip_blocks=True,
)
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that spreadsheets take for a formula."""
COLUMNS = (
    "policy",
    "customer",
    "before",
    "after",
    "month",
    "assets",
    "seen",
    "why",
    "missing",
    "whole",
    "together",
    "by_hand",
)


def write(
    found: Sequence[Comparison],
    curve: Curve | None,
    html: Path | None,
    csv: Path | None,
    parquet: Path | None,
) -> None:
    """Write what was asked for; raises `UserError` where that cannot be."""
    wanted: tuple[tuple[Path | None, str, Callable[[], bytes]], ...] = (
        (html, "report", lambda: as_html(found, curve)),
        (csv, "movers", lambda: as_csv(found)),
        (parquet, "movers", lambda: as_parquet(found)),
    )
    for path, word, content in wanted:
        if path is not None:
            try:
                path.write_bytes(content())
            except OSError as error:
                raise UserError(
                    f"the {word} cannot be written to {path}: {error.strerror}"
                ) from error
            errors.print(f"{word}: {path}", soft_wrap=True, markup=False)


def as_html(found: Sequence[Comparison], curve: Curve | None) -> bytes:
    """The report: from tier to tier, by segment, the curve, and the named movers."""
    return templates.get_template("comparison.html").render(comparisons=found, curve=curve).encode()


def as_csv(found: Sequence[Comparison]) -> bytes:
    """The named movers of every comparison, one line each; amounts in minor units."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([*map(_harmless, row)] for row in _movers(found))
    return text.getvalue().encode()


def _harmless(said: str | int) -> str | int:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    return f"'{said}" if isinstance(said, str) and said[:1] in FORMULAS else said


def as_parquet(found: Sequence[Comparison]) -> bytes:
    """The named movers of every comparison, one row each; amounts in minor units."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = list(_movers(found))
    kinds = [pa.int64() if name == "assets" else pa.string() for name in COLUMNS]
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns, names=list(COLUMNS)), sink)
    return sink.getvalue()


def _movers(found: Sequence[Comparison]) -> Iterator[tuple[str | int, ...]]:
    for each in found:
        for mover in each.movers:
            seen, together = (
                "; ".join(f"{name}={value}" for name, value in figures.items())
                for figures in (mover.seen, mover.together)
            )
            yield (
                *(each.new, mover.customer, mover.before, mover.after, mover.month, mover.assets),
                *(
                    seen,
                    "; ".join(mover.why),
                    "; ".join(mover.missing),
                    mover.whole or "",
                    together,
                    mover.by_hand or "",
                ),
            )
