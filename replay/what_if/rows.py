"""What did many months come to under a policy?

Quantities, conditions and levels, for all rows of a stretch at once.

Row by row this is what `domain/rules/quantities.py` and `domain/rules/conditions.py` say of one
month.
"""

from functools import cached_property

import numpy as np

from domain.rules.conditions import AllOf, AnyOf, AtLeast, AtMost, Condition, Holds, OneOf
from domain.rules.quantities import Balances, Over, Points, Scored
from domain.tiering.policy import STAGES, TierPolicy
from replay.what_if.columns import Columns, Numbers

Weighting = tuple[Over, str, tuple[tuple[str, int], ...]]
COLUMN = {
    "transactions": "transactions",
    "active-days": "active_days",
    "products": "products",
    "tenure-months": "tenure",
    "open-cases": "open_cases",
}
AMOUNT: dict[Over, str] = {
    "month-average": "average",
    "rolling-90-days": "ninety_days",
    "closing": "closing",
}


class Rows:
    """The rows from `start` up to, without, `stop`, as a policy sees them.

    Each quantity is computed when it is first asked for.

    `shared` keeps weighted sums for the next policy that asks for the same ones of the same rows.
    """

    def __init__(
        self,
        columns: Columns,
        start: int,
        stop: int,
        policy: TierPolicy,
        shared: dict[Weighting, Numbers],
    ) -> None:
        self._columns = columns
        self._rows = slice(start, stop)
        self._edges = slice(start, stop + 1)
        self._policy = policy
        self._shared = shared
        self._seen: dict[str, Numbers] = {}

    def due(self) -> Numbers:
        """Whether a row is one at whose end its customer is assessed."""
        policy = self._policy
        months: Numbers = (
            np.isin(np.arange(12), np.array(policy.assessed_in) - 1)[self._column("month") % 12]
            | self._new
        )
        if policy.applies_to != "everyone":
            months &= self._among(
                "kind", [policy.applies_to], unknown=policy.applies_to == "person"
            )
        return months

    def level(self) -> Numbers:
        """The highest tier, by place, whose condition a row meets."""
        reached = np.zeros(self._rows.stop - self._rows.start, dtype=np.int16)
        for place, tier in enumerate(self._policy.tiers):
            if tier.reach is not None:
                reached[self._met(tier.reach)] = place
        return reached

    def frozen(self) -> Numbers:
        """Whether a miss does not count."""
        if not self._policy.freeze_in_dispute:
            return np.zeros(self._rows.stop - self._rows.start, dtype=np.bool_)
        return np.asarray(self._quantity("open-cases") > 0)

    def _met(self, condition: Condition) -> Numbers:
        match condition:
            case AllOf(all_of=parts):
                return np.asarray(np.all([self._met(part) for part in parts], axis=0))
            case AnyOf(any_of=parts):
                return np.asarray(np.any([self._met(part) for part in parts], axis=0))
            case AtLeast(quantity=name, at_least=bound):
                return np.asarray(self._quantity(name) >= bound)
            case AtMost(quantity=name, at_most=bound):
                return np.asarray(self._quantity(name) <= bound)
            case OneOf(trait="stage", one_of=wanted):
                return np.isin(self._stage, [STAGES.index(stage) for stage in wanted])
            case OneOf(trait=trait, one_of=wanted):
                return self._among(trait, wanted)
            case Holds(holds=wanted):
                return self._among(
                    "holdings",
                    [
                        held
                        for held in self._columns.words["holdings"]
                        if not set(wanted).isdisjoint(held.split())
                    ],
                )

    def _quantity(self, name: str) -> Numbers:
        if name not in self._seen:
            self._seen[name] = self._compute(name)
        return self._seen[name]

    def _compute(self, name: str) -> Numbers:
        match self._policy.measures.get(name), name:
            case Balances() as measure, _:
                return self._balance(measure)
            case Points(of=scored), _:
                return np.asarray(np.sum([self._score(each) for each in scored], axis=0))
            case None, "active-months":
                return np.maximum(self._column("streak"), 0)
            case None, "idle-months":
                return np.maximum(-self._column("streak"), 0)
            case None, "value":
                return self._quantity("value-in") + self._quantity("value-out")
            case None, "value-in" | "value-out":
                return self._value("came" if name == "value-in" else "went")
            case _:
                return self._column(COLUMN[name])

    def _balance(self, measure: Balances) -> Numbers:
        over, fast = measure.over, self._policy.fast_track
        usual = self._weighted(measure, over)
        return (
            usual
            if fast is None or fast.over == over
            else np.where(self._new, self._weighted(measure, fast.over), usual)
        )

    def _weighted(self, measure: Balances, over: Over) -> Numbers:
        weighting = (over, self._policy.currency, tuple(sorted(measure.weights_percent.items())))
        if weighting not in self._shared:
            self._shared[weighting] = self._weigh(measure, over)
        return self._shared[weighting]

    def _weigh(self, measure: Balances, over: Over) -> Numbers:
        edges = self._columns.asset_first[self._edges]
        inside = slice(int(edges[0]), int(edges[-1]))
        words = [asset.split("/") for asset in self._columns.words["asset"]]
        weights = [
            measure.weights_percent.get(kind, 0) if currency == self._policy.currency else 0  # type: ignore[call-overload]
            for kind, currency in words
        ]
        amounts = getattr(self._columns, AMOUNT[over])[inside]
        if over == "rolling-90-days":
            amounts = (2 * amounts + 90) // 180
        return (
            _sums(
                amounts * np.array([*weights, 0], dtype=np.int64)[self._columns.asset[inside]],
                edges,
            )
            // 100
        )

    def _value(self, side: str) -> Numbers:
        edges = self._columns.value_first[self._edges]
        inside = slice(int(edges[0]), int(edges[-1]))
        counts = np.array(
            [
                *(
                    currency == self._policy.currency
                    for currency in self._columns.words["currency"]
                ),
                False,
            ]
        )
        return _sums(
            getattr(self._columns, side)[inside] * counts[self._columns.value_currency[inside]],
            edges,
        )

    def _score(self, scored: Scored) -> Numbers:
        points = (
            np.maximum(self._quantity(scored.quantity), 0).astype(np.int64)
            // scored.each
            * scored.points
        )
        return points if scored.at_most is None else np.minimum(points, scored.at_most)

    def _among(
        self, trait: str, wanted: "list[str] | tuple[str, ...]", *, unknown: bool = False
    ) -> Numbers:
        counts = np.array([unknown, *(word in wanted for word in self._columns.words[trait])])
        found: Numbers = counts[self._column(trait) + 1]
        return found

    def _column(self, name: str) -> Numbers:
        column: Numbers = getattr(self._columns, name)[self._rows]
        return column

    @cached_property
    def _new(self) -> Numbers:
        """Whether a row's customer is on the fast track."""
        fast = self._policy.fast_track
        return self._column("tenure") <= (fast.through_months if fast else 0)

    @cached_property
    def _stage(self) -> Numbers:
        cycle = self._policy.life_cycle
        grown = np.where(
            -self._column("streak") >= cycle.dormant_from_months,
            STAGES.index("dormant"),
            STAGES.index("active"),
        )
        return np.where(
            self._column("tenure") <= cycle.new_through_months, STAGES.index("new"), grown
        )


def _sums(values: Numbers, edges: Numbers) -> Numbers:
    """The exact sum of the values between each edge and the next.

    A sum that runs over on the way comes back by the difference.
    """
    total = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=total[1:])
    found: Numbers = np.diff(total[edges - edges[0]])
    return found
