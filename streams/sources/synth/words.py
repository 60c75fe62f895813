"""What are people, companies and shops of the synthetic bank called, and what do they say?"""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import yaml

_WORDS: dict[str, Any] = yaml.safe_load(
    Path(__file__).with_name("words.yaml").read_text(encoding="utf-8")
)
NUMBER = "NN"
"""What stands for a number in a text."""
REGIONS = tuple(_WORDS["regions"])
INDUSTRIES = tuple(_WORDS["industries"])
TOPICS = tuple(_WORDS["complaints"])
PURPOSES = tuple(_WORDS["visits"])


class Merchants(NamedTuple):
    """A kind of shop: its names, the least and most that is spent, in fen, and the hours."""

    names: tuple[str, ...]
    least: int
    most: int
    opens: int
    closes: int


MERCHANTS = tuple(
    Merchants(tuple(said["names"]), *(100 * each for each in said["yuan"]), *said["hours"])
    for said in _WORDS["merchants"].values()
)
OFTEN = tuple(said["often"] for said in _WORDS["merchants"].values())
"""How often each is gone to, in a thousand."""
CELEBRATED = tuple(
    often * (2 if name in ("dining", "shopping", "travel") else 1)
    for name, often in zip(_WORDS["merchants"], OFTEN, strict=True)
)
"""The same on weekends and festivals."""


def name_of(chance: Random, gender: str, kin: Random) -> str:
    """A person's name in both scripts; the surname is drawn as that of their kin."""
    surname, given = pick(kin, _WORDS["surnames"]), pick(chance, _WORDS[gender])
    (family, latin_family), (own, latin) = surname.split(), given.split()
    return f"{family}{own} {latin_family} {latin}"


def company_name(chance: Random, region: str, industry: str) -> str:
    """A company's name in both scripts."""
    brand, latin_brand = pick(chance, _WORDS["brands"]).split()
    place, latin_place = region.split()
    field, latin = _WORDS["industries"][industry].split()
    return f"{place}{brand}{field}有限公司 {latin_place} {latin_brand} {latin} Co., Ltd."


def branch_of(chance: Random, region: str) -> str:
    """A branch in a region."""
    branch: str = pick(chance, _WORDS["regions"][region])
    return branch


def complaint(chance: Random, topic: str) -> str:
    """What somebody complains of."""
    text: str = pick(chance, _WORDS["complaints"][topic])
    return text.replace(NUMBER, str(2 + int(chance.random() * 90)))


def answer(chance: Random, *, upheld: bool) -> str:
    """How the bank answers."""
    text: str = pick(chance, _WORDS["answers"]["upheld" if upheld else "refused"])
    return text


def opinion(chance: Random, *, pleased: bool) -> str:
    """What somebody says of the bank."""
    text: str = pick(chance, _WORDS["pleased" if pleased else "displeased"])
    return text


def pick(chance: Random, among: Sequence[Any]) -> Any:
    """One of several, each as likely: several times as fast as `Random.choice`."""
    return among[int(chance.random() * len(among))]
