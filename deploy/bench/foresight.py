"""How well is a leaving foreseen, of whose causes the maker of a bank knows all?

On the synthetic bank as it is sent, prequentially: everybody is scored at each month's end by the
model of then, which learns from the same sample as a live one. Beside it stands the oracle, which
knows each cause that is there at that moment and how likely it makes a leaving; and the share of
those who left.
"""

from collections.abc import Iterator, Sequence

from deploy.bench.parts import Figure
from projections.models.forecast import CHURN
from projections.models.propensity import shared
from replay.evaluation.foresight import Judged, Missed, ends, judge
from replay.evaluation.foretold import measured
from replay.evaluation.metrics import auc, calibration_error, log_loss
from replay.history.from_file import recorded
from streams.sources.synth.bank import Bank, Hidden
from streams.sources.synth.life import ANYHOW, EARNS_ELSEWHERE, MOVED, REFUSED, SERVED_BADLY
from streams.sources.synth.sent import sent

BANK = Bank(customers=10_000, months=15, seed=1)
LEARNT = 3_000
"""Examples that a model has learnt before it is judged."""
OTHERS = 1 - (1 - ANYHOW) ** 3
SIGNS = {
    REFUSED: {"refused-lately", "complaints-lately"},
    MOVED: {"assets-fell", "less-bits"},
    SERVED_BADLY: {"score=detractor"},
    EARNS_ELSEWHERE: {"in-fell", "in-bits"},
}
"""The features in which each cause shows."""
SHARE = 0.9
"""How much of the oracle's area above chance is asked for."""


def foresight(bank: Bank = BANK) -> list[Figure]:
    """AUC, log-loss and calibration error of leaving, whether the reasons name the cause, and how
    far off the next balance is.
    """
    hidden: list[Hidden] = []
    found = list(judge([ends(recorded(sent(bank, hidden.append)))], "CNY", [CHURN]))
    judged = [
        each for each in found if isinstance(each, Judged) and each.by.model.examples >= LEARNT
    ]
    came = [each.example.accepted for each in judged]
    likely = {(each.customer, each.month): each for each in hidden if each.what == "may leave"}
    said = {
        "ours": [each.said for each in judged],
        "usual": [each.usual for each in judged],
        "oracle": [
            likely[name].chance
            if (name := (each.example.customer, each.month)) in likely
            else OTHERS
            for each in judged
        ],
    }
    best = auc(said["oracle"], came)
    [balance] = measured(each for each in found if isinstance(each, Missed))
    return [
        Figure(
            "foresight_churn_auc",
            auc(said["ours"], came),
            "",
            {"oracle": best, "asked for": 0.5 + SHARE * (best - 0.5)},
            {"share of those who left": auc(said["usual"], came)},
        ),
        *(
            Figure(
                f"foresight_churn_{measure.__name__}",
                measure(said["ours"], came),
                "",
                {"oracle": measure(said["oracle"], came)},
                {"share of those who left": measure(said["usual"], came)},
            )
            for measure in (log_loss, calibration_error)
        ),
        Figure("foresight_reasons_name_the_cause", _named(judged, likely), "share"),
        Figure(
            "foresight_balance_missed_by",
            balance.missed_by or 0,
            "fen",
            {},
            {"nothing changes": balance.unchanged_missed_by or 0},
        ),
    ]


def _named(judged: Sequence[Judged], likely: dict[tuple[str, str], Hidden]) -> float:
    """In how many of those who left, for a cause that was there, one of the first three reasons
    names it.
    """

    def each_named() -> Iterator[bool]:
        for each in judged:
            there = likely.get((each.example.customer, each.month))
            if there is not None and each.example.accepted:
                terms = each.by.terms(shared(each.example.features))
                first = [name for name, counts in terms if counts > 0][:3]
                yield not SIGNS[there.cause].isdisjoint(first)

    named = list(each_named())
    return sum(named) / len(named) if named else float("nan")
