"""What are models worth by how late answers come? A row a stream, a column a measure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

from deploy.bench.parts import Figure

MEASURES = {
    "auc_within_blocks": "AUC within blocks (higher is better)",
    "log_loss": "log-loss (lower is better)",
    "calibration_error": "calibration error (lower is better)",
}
LINES = {
    "ours": "#0b6e4f",
    "plain river": "#c8553d",
    "batch, fitted every 100": "#6c5ce7",
    "adaptive naive Bayes": "#b8860b",
    "share of yes, last 2,000": "#9aa0a6",
}
NAMED = re.compile(rf"(?P<stream>\w+?)_(?P<measure>{'|'.join(MEASURES)})_delay_(?P<delay>\d+)")
LEFT, TOP, WIDE, HIGH, GAP = 120, 60, 230, 90, 60

Lines = dict[str, dict[int, float]]
"""By learner, by delay."""


class Box(NamedTuple):
    """Where a plot stands, and the least and the largest value in it."""

    x: float
    y: float
    low: float
    high: float


def curves(figures: Iterable[Figure]) -> str | None:
    """The picture as SVG; None if no figure is of a model."""
    streams = _by_stream(figures)
    if not streams:
        return None
    width, height = LEFT + 3 * (WIDE + GAP), TOP + len(streams) * (HIGH + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        *_legend(),
    ]
    for row, (stream, measures) in enumerate(streams.items()):
        y = TOP + row * (HIGH + GAP)
        parts.append(_text(8, y + HIGH / 2, stream.replace("_", " "), "start"))
        for column, measure in enumerate(MEASURES):
            x = LEFT + column * (WIDE + GAP)
            if row == 0:
                parts.append(_text(x, y - 8, MEASURES[measure], "start"))
            if measure in measures:
                parts += _plot(x, y, measures[measure])
    return "\n".join([*parts, "</svg>", ""])


def _by_stream(figures: Iterable[Figure]) -> dict[str, dict[str, Lines]]:
    found: dict[str, dict[str, Lines]] = {}
    for figure in figures:
        if named := NAMED.fullmatch(figure.name):
            lines = found.setdefault(named["stream"], {}).setdefault(named["measure"], {})
            for learner, value in {"ours": figure.value, **figure.peers}.items():
                if learner in LINES:
                    lines.setdefault(learner, {})[int(named["delay"])] = value
    return found


def _plot(x: float, y: float, lines: Lines) -> list[str]:
    values = [value for line in lines.values() for value in line.values()]
    delays = sorted({delay for line in lines.values() for delay in line})
    box = Box(x, y, min(values), max(values))
    frame = f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" fill="none" stroke="#ddd"/>'
    bounds = [
        _text(x - 4, y + 9, f"{box.high:.3f}", "end"),
        _text(x - 4, y + HIGH, f"{box.low:.3f}", "end"),
    ]
    ticks = [
        _text(_across(box, delays, delay), y + HIGH + 13, f"{delay:,}", "middle")
        for delay in delays
    ]
    return [frame, *bounds, *ticks, *_drawn(box, delays, lines)]


def _drawn(box: Box, delays: Sequence[int], lines: Mapping[str, Mapping[int, float]]) -> list[str]:
    room = (box.high - box.low) or 1.0
    found = []
    for learner in [name for name in reversed(LINES) if name in lines]:
        places = " ".join(
            f"{_across(box, delays, delay):.1f},"
            f"{box.y + HIGH - 4 - (HIGH - 8) * (value - box.low) / room:.1f}"
            for delay, value in sorted(lines[learner].items())
        )
        thick = 2.5 if learner == "ours" else 1.5
        found.append(
            f'<polyline points="{places}" fill="none" stroke="{LINES[learner]}" '
            f'stroke-width="{thick}"/>'
        )
    return found


def _across(box: Box, delays: Sequence[int], delay: int) -> float:
    """Delays stand at equal distances."""
    return box.x + 12 + (WIDE - 24) * delays.index(delay) / max(1, len(delays) - 1)


def _legend() -> list[str]:
    return [
        f'<rect x="{LEFT + 165 * place}" y="12" width="14" height="4" fill="{colour}"/>'
        + _text(LEFT + 20 + 165 * place, 18, name if name != "ours" else "tierfold", "start")
        for place, (name, colour) in enumerate(LINES.items())
    ]


def _text(x: float, y: float, said: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="#333">{escape(said)}</text>'
