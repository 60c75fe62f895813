"""Pages that are made from the code say what the code says."""

from functools import partial
from pathlib import Path

import pytest

from deploy.cli.explained import explained
from deploy.pages.references import cli_page, http_page, map_of, rooms, settings_page
from streams.web.security.permissions import GRANTS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("cli", cli_page),
        ("zh-CN/cli", partial(cli_page, explained)),
        ("http-api", http_page),
        ("settings", settings_page),
    ],
)
def test_a_reference_is_current(name: str, made: object) -> None:
    """Whoever changes a command, a route or a setting runs `make pages`."""
    assert (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") == made()  # type: ignore[operator]


def test_the_map_is_current() -> None:
    """Whoever adds a file runs `make pages`."""
    assert map_of(ROOT) in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_route_is_in_the_reference() -> None:
    """With who may ask it."""
    said = http_page()

    assert all(f"`{method} {path}`" in said for method, path in GRANTS)


LOOSE = {
    "domain": {"event", "envelope", "event_types", "upcasters", "calendar", "fastcopy", "buckets"},
    "projections": {"projection", "store", "redis", "registry"},
    "streams": set[str](),
    "replay": set[str](),
    "deploy": {
        "settings",
        "wiring",
        "processes",
        "keys",
        "policy_files",
        "terminal",
        "active_groups",
    },
}


@pytest.mark.parametrize("floor", LOOSE)
def test_no_file_lies_loose_beside_those_that_every_room_uses(floor: str) -> None:
    """What is about one subject goes into its room."""
    [loose, *_] = rooms(floor, ROOT)

    assert set(loose.modules) == LOOSE[floor]
