"""Does a rule say what its author means? Checked and told in sentences, before anybody tries it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.policy_files import read_rule
from deploy.reports.rule_in_words import Language, in_words
from deploy.terminal import Json, show

if TYPE_CHECKING:
    from deploy.reports.rule_in_words import RuleInWords

BAR = 24
File = Annotated[Path, typer.Argument(help="A tier policy or a precedence, YAML or JSON.")]
In = Annotated[Language, typer.Option("--language", help="In which language it is told.")]


def check(file: File, language: In = Language.EN, as_json: Json = False) -> None:
    """Check a rule, and say it in sentences: who reaches what by what, and when one falls.

    Amounts are shown as money. What is wrong is said with its place.
    """
    told = in_words(read_rule(file), language)
    if as_json:
        show(asdict(told), as_json)
    else:
        _print(told)


def _print(told: "RuleInWords") -> None:
    console = Console(markup=False, highlight=False, soft_wrap=True)
    for sentence in told.sentences:
        console.print(sentence)
    steps = len(told.ladder)
    names = [f"{rung.name} ({rung.tier})" for rung in told.ladder]
    wide = max((console.measure(name).maximum for name in names), default=0)
    for place, (name, rung) in enumerate(zip(names, told.ladder, strict=True)):
        bar = "█" * (BAR * (steps - place) // steps)
        room = " " * (wide - console.measure(name).maximum)
        said = "; ".join(filter(None, [rung.asks, rung.falls, *rung.fees]))
        console.print(f"{name}{room}  {bar:<{BAR}}  {said}")
    console.print(f"digest {told.digest}")
