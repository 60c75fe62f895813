"""Four eyes hold, however somebody spells their name."""

import pytest

from domain.access.four_eyes import same_person

WIDE = "\uff4c\uff49\uff0e\uff57\uff45\uff49"
"""The name in full-width letters, as an input method writes it."""


@pytest.mark.parametrize(
    "other",
    ["li.wei", "Li.Wei", "LI-WEI", "li_wei", "liwei", "li.wei@bank.example", WIDE, " li wei "],
)
def test_another_spelling_is_no_other_person(other: str) -> None:
    """Case, width, points, spaces, and the house behind an `@`."""
    assert same_person("li.wei", other)


@pytest.mark.parametrize(
    "other", ["li.wen", "li.weiwei", "zhang.min", "wei.li", "@zhang.min", "...", "@"]
)
def test_another_name_is_another_person(other: str) -> None:
    """As far as names tell."""
    assert not same_person("li.wei", other)
