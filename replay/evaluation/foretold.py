"""What do the measures of what was foreseen come to, model by model?"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from replay.evaluation.foresight import Judged, Missed
from replay.evaluation.metrics import auc, calibration_error, log_loss

BALANCE = "foresight/balance"


@dataclass(frozen=True)
class Foreseen:
    """How good a model was, beside the share of yes of the time (`usual`).

    Of the next balance it is how far off it was, in minor units, half of the times and on average,
    beside a balance that stays as it is.
    """

    model: str
    judged: int
    came: int | None = None
    auc: float | None = None
    log_loss: float | None = None
    usual_log_loss: float | None = None
    calibration_error: float | None = None
    missed_by: int | None = None
    unchanged_missed_by: int | None = None
    missed_on_average: int | None = None
    unchanged_missed_on_average: int | None = None


@dataclass
class _Said:
    said: "array[float]" = field(default_factory=lambda: array("d"))
    usual: "array[float]" = field(default_factory=lambda: array("d"))
    came: "array[int]" = field(default_factory=lambda: array("b"))

    def add(self, each: Judged) -> None:
        self.said.append(each.said)
        self.usual.append(each.usual)
        self.came.append(each.example.accepted)

    def measured(self, name: str) -> Foreseen:
        known = 0 < sum(self.came) < len(self.came)
        return Foreseen(
            name,
            len(self.came),
            sum(self.came),
            auc(self.said, self.came) if known else None,
            log_loss(self.said, self.came),
            log_loss(self.usual, self.came),
            calibration_error(self.said, self.came),
        )


def measured(judged: Iterable[Judged | Missed]) -> list[Foreseen]:
    """Each model with its measures, by name; at the end the balances."""
    by_model: dict[str, _Said] = {}
    missed: list[Missed] = []
    for each in judged:
        if isinstance(each, Missed):
            missed.append(each)
        else:
            by_model.setdefault(each.model, _Said()).add(each)
    found = [by_model[name].measured(name) for name in sorted(by_model)]
    return [*found, _balances(missed)] if missed else found


def _balances(missed: list[Missed]) -> Foreseen:
    foreseen, unchanged = np.array(missed).T
    return Foreseen(
        BALANCE,
        len(missed),
        missed_by=int(np.median(foreseen)),
        unchanged_missed_by=int(np.median(unchanged)),
        missed_on_average=int(foreseen.mean()),
        unchanged_missed_on_average=int(unchanged.mean()),
    )
