"""What was measured, as a picture: each figure as a bar beside its ceilings and its peers."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

from deploy.bench.parts import Figure

WIDTH, NAMES, VALUES, LINE = 960, 380, 110, 18
COLOURS = {"": "#0b6e4f", "ceiling": "#9aa0a6", "peer": "#c8553d"}


class Bar(NamedTuple):
    """One bar: what it shows, what kind it is, its value, and the largest of those beside it."""

    name: str
    kind: str
    value: float
    largest: float
    unit: str


def drawn(figures: Sequence[Figure]) -> str:
    """All figures as SVG; bars are as long as their share of the largest beside them."""
    bars = [bar for figure in figures for bar in _bars(figure)]
    height = LINE * (len(bars) + 3)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">'  # noqa: E501
    legend = "".join(
        f'<rect x="{NAMES + 130 * place}" y="8" width="10" height="10" fill="{colour}"/><text x="{NAMES + 14 + 130 * place}" y="17">{kind or "tierfold"}</text>'  # noqa: E501
        for place, (kind, colour) in enumerate(COLOURS.items())
    )
    lines = [_line(bar, LINE * (place + 2)) for place, bar in enumerate(bars)]
    return "\n".join(
        [head, '<rect width="100%" height="100%" fill="white"/>', legend, *lines, "</svg>", ""]
    )


def _bars(figure: Figure) -> Iterator[Bar]:
    others = [("ceiling", *each) for each in figure.ceilings.items()] + [
        ("peer", *each) for each in figure.peers.items()
    ]
    largest = max(figure.value, *(value for _, _, value in others)) if others else figure.value
    yield Bar(figure.name, "", figure.value, largest, figure.unit)
    for kind, name, value in others:
        yield Bar(name, kind, value, largest, figure.unit)


def _line(bar: Bar, y: int) -> str:
    room = WIDTH - NAMES - VALUES
    length = room * bar.value / bar.largest if bar.largest > 0 else 0
    name = f'<text x="{NAMES - 8}" y="{y + 10}" text-anchor="end" font-weight="{"normal" if bar.kind else "bold"}">{escape(bar.name)}</text>'  # noqa: E501
    rect = f'<rect x="{NAMES}" y="{y}" width="{max(length, 1):.1f}" height="{LINE - 5}" fill="{COLOURS[bar.kind]}"/>'  # noqa: E501
    said = f"{bar.value:,.0f}" if abs(bar.value) >= 100 else f"{bar.value:,.3g}"
    return f'{name}{rect}<text x="{NAMES + max(length, 1) + 6:.1f}" y="{y + 10}" fill="#333">{said} {escape(bar.unit)}</text>'  # noqa: E501
