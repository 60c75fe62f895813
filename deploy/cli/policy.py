"""Does a policy say what its author means, and what would it change?

Checked and told in sentences, tried on history, and proposed.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from deploy.cli.language import In
from deploy.cli.rollout import Days, Sample
from deploy.cli.tables import print_policies
from deploy.cli.who import decided_by
from deploy.policy_files import read_any
from deploy.reports.policy_in_words import in_words
from deploy.reports.saying import Language
from deploy.terminal import DataDir, Json, settings_of, show
from domain.rollout.lifecycle import KINDS

if TYPE_CHECKING:
    from deploy.reports.policy_in_words import PolicyInWords

BAR = 24
File = Annotated[
    Path,
    typer.Argument(
        help="A tier policy, precedence, catalogue, privacy or arrival policy, YAML or JSON."
    ),
]


def check(file: File, language: In = Language.EN, as_json: Json = False) -> None:
    """Check a policy, and say it in sentences: who reaches what by what, and when one falls; what
    may be offered to whom; what is kept how long; what is believed.

    Amounts are shown as money. What is wrong is said with its place.
    """
    told = in_words(read_any(file), language)
    if as_json:
        show(asdict(told), as_json)
    else:
        _print(told)


def try_policy(
    file: File,
    days: Days = 30,
    sample: Sample = 2_000,
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Try a catalogue, privacy or arrival policy on history, beside the live one; nothing is
    brought.

    A catalogue: who would have been offered what, by funnel and by segment.
    """
    from deploy.operations.rollout import run
    from replay.rollout import comparing

    policy, tried = read_any(file), comparing.Tried(days, sample)
    found = run(settings_of(data_dir), lambda deps: comparing.try_policy(deps, policy, tried))
    if as_json:
        show({**asdict(found), "digest": found.digest}, as_json)
    else:
        print_policies(found)


def propose(
    file: File,
    by: Annotated[
        str, typer.Option("--by", help="Who brings it.", show_default="who is logged in")
    ] = "",
    data_dir: DataDir = None,
    as_json: Json = False,
) -> None:
    """Bring a precedence, catalogue, privacy or arrival policy, to be compared, approved and
    promoted.

    A tier policy folds history: bring it with `tierfold replay rebuild tier`.
    """
    from deploy.operations.rollout import run
    from replay.rollout import commands
    from replay.rollout.names import group_of

    settings, policy = settings_of(data_dir), read_any(file)
    who = decided_by(settings, by, KINDS[group_of(policy)].role)
    show(run(settings, lambda deps: commands.propose(deps, policy, who)), as_json)


def _print(told: "PolicyInWords") -> None:
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
