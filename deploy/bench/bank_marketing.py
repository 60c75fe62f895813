"""How well does a model learn?

UCI Bank Marketing in time order, fed as decisions and answers, each scored before its answer is
known.

Peers in the same run: a batch logistic regression fitted again every hundred rows on the last
20,000 whose answers are known, Pega's adaptive naive Bayes, and the mere share of yes among the
last answers known, which tells how much of an error is drift. `duration` is never used: it is not
known before the call.
"""

import csv
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from deploy.bench.naive_bayes import NaiveBayes
from deploy.bench.parts import Figure
from domain.envelope import Proposed, Recorded
from domain.event import Interaction
from domain.offers.events import (
    Candidate,
    Features,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferPresented,
)
from projections.models.learner import MODEL, learnt_from
from projections.models.propensity import Model, shared
from projections.offers.group import REACTIONS
from projections.projection import States
from replay.evaluation.metrics import alift, auc, calibration_error, log_loss, top_half

DELAYS = (0, 50, 500, 2_000)
SCORED_FROM = 20_000
WINDOW = 20_000
AGAIN = 100
RATES = (200, 2_000, 20_000)
OFFER = "term-deposit"
NUMBERS = (
    "age",
    "campaign",
    "pdays",
    "previous",
    "emp.var.rate",
    "cons.price.idx",
    "cons.conf.idx",
    "euribor3m",
    "nr.employed",
)
CATEGORIES = (
    "job",
    "marital",
    "education",
    "default",
    "housing",
    "loan",
    "contact",
    "month",
    "day_of_week",
    "poutcome",
)
BEGUN = datetime(2008, 5, 5, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    """One contact: what was known before it, and what came of it."""

    features: Features
    accepted: bool


class Learner(Protocol):
    """What can be asked and taught."""

    def propensity(self, number: int, row: Row) -> float:
        """The probability of a yes."""

    def learn(self, number: int, row: Row) -> None:
        """What came of a contact."""


def rows(path: Path) -> list[Row]:
    """The contacts in time order; numbers in thousandths."""
    with path.open(encoding="utf-8") as file:
        return [_row(each) for each in csv.DictReader(file, delimiter=";")]


def _row(said: dict[str, str]) -> Row:
    numbers = {name: round(float(said[name]) * 1000) for name in NUMBERS}
    return Row(
        {**numbers, **{f"{name}={said[name]}": 1 for name in CATEGORIES}}, said["y"] == "yes"
    )


class Ours:
    """The way that the bank's own answers take: decided, shown, answered, an example, learnt.

    `said` has every event, in order.
    """

    def __init__(self) -> None:
        self.model: Model = MODEL.initial
        self.said: list[Proposed] = []
        self._waiting: dict[int, States] = {}
        self._learnt = 0

    def propensity(self, number: int, row: Row) -> float:
        """Decided by what is learnt so far."""
        learnt = learnt_from(self.model, self._learnt)
        assert learnt.ready is not None
        likely, score, _ = learnt.ready.propensity(shared(row.features))
        said = Candidate(
            offer=OFFER,
            propensity=likely,
            value=1,
            priority=likely,
            model=learnt.label,
            score=score,
        )
        decided = OfferDecided(
            decision=f"d{number}",
            channel="call",
            offer=OFFER,
            offers=(OFFER,),
            candidates=(said,),
            features=row.features,
            catalogue="uci@1",
        )
        shown = OfferPresented(decision=f"d{number}", offer=OFFER, channel="call")
        self._waiting[number] = reduce(
            REACTIONS.evolve,
            (self._happened(number, decided), self._happened(number, shown)),
            REACTIONS.initial,
        )
        return likely

    def learn(self, number: int, row: Row) -> None:
        """The answer becomes an example, and the example a better model."""
        assert REACTIONS.react is not None
        answer = OfferAccepted if row.accepted else OfferDeclined
        event, before = (
            self._happened(number, answer(decision=f"d{number}", offer=OFFER, channel="call")),
            self._waiting.pop(number),
        )
        for example in REACTIONS.react(
            event.stream, before, REACTIONS.evolve(before, event), event
        ):
            self._learnt += 1
            self.model = MODEL.evolve(self.model, _recorded(example, self._learnt))

    def _happened(self, number: int, data: Interaction) -> Recorded:
        at = BEGUN + timedelta(minutes=len(self.said))
        self.said.append(
            Proposed("uci", f"e{len(self.said)}", f"customer:{number}", at, at.date(), data)
        )
        return _recorded(self.said[-1], len(self.said))


class Bayes:
    """Pega's published model."""

    def __init__(self) -> None:
        self._model = NaiveBayes()

    def propensity(self, _number: int, row: Row) -> float:
        """The probability of a yes."""
        return self._model.propensity(row.features)

    def learn(self, _number: int, row: Row) -> None:
        """One example more."""
        self._model.learn(row.features, row.accepted)


class Batch:
    """A logistic regression on all that is known of the last contacts, fitted again now and then,
    once it is asked for what is scored.
    """

    def __init__(self) -> None:
        self._known: list[Row] = []
        self._fitted: Any = None
        self._asked = 0

    def propensity(self, number: int, row: Row) -> float:
        """The probability of a yes, by the last fit."""
        if number < SCORED_FROM:
            return 0.5
        if self._asked % AGAIN == 0:
            self._fit()
        self._asked += 1
        return float(self._fitted.predict_proba([row.features])[0, 1])

    def learn(self, _number: int, row: Row) -> None:
        """One row more."""
        self._known.append(row)

    def _fit(self) -> None:
        from sklearn.feature_extraction import DictVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        window = self._known[-WINDOW:]
        columns = make_pipeline(
            DictVectorizer(sparse=False), StandardScaler(), LogisticRegression(max_iter=300)
        )
        self._fitted = columns.fit(
            [row.features for row in window], [row.accepted for row in window]
        )


class Rate:
    """The share of yes among so many last answers, whoever is asked for."""

    def __init__(self, window: int) -> None:
        self._last: deque[bool] = deque(maxlen=window)

    def propensity(self, _number: int, _row: Row) -> float:
        """The probability of a yes, as if there were one more yes and one more no."""
        return (1 + sum(self._last)) / (2 + len(self._last))

    def learn(self, _number: int, row: Row) -> None:
        """One answer more."""
        self._last.append(row.accepted)


def prequential(learner: Learner, contacts: Sequence[Row], delay: int) -> list[float]:
    """What was said of each contact before its answer, which is known so many contacts later."""
    said = []
    for number, row in enumerate(contacts):
        if (due := number - delay - 1) >= 0:
            learner.learn(due, contacts[due])
        said.append(learner.propensity(number, row))
    return said


def bank_marketing(path: Path, delays: Sequence[int] = DELAYS) -> list[Figure]:
    """AUC, ALIFT, share of the better half and calibration error at each delay, beside the peers.

    Of the rows from 20,000 on.
    """
    contacts = rows(path)
    if len(contacts) <= SCORED_FROM:
        raise ValueError(
            f"{path} has {len(contacts)} rows, and those from {SCORED_FROM} on are scored"
        )
    came = np.array([row.accepted for row in contacts[SCORED_FROM:]])
    figures = []
    for delay in delays:
        learners: dict[str, Learner] = {
            "ours": Ours(),
            "batch, fitted every 100": Batch(),
            "adaptive naive Bayes": Bayes(),
        }
        learners |= {f"share of yes, last {window:,}": Rate(window) for window in RATES}
        said = {
            name: np.array(prequential(learner, contacts, delay)[SCORED_FROM:])
            for name, learner in learners.items()
        }
        for name, measure in MEASURES.items():
            found = {learner: measure(values, came) for learner, values in said.items()}
            figures.append(Figure(f"uci_{name}_delay_{delay}", found.pop("ours"), "", {}, found))
    return figures


MEASURES: dict[str, Callable[[Any, Any], float]] = {
    "auc": auc,
    "alift": alift,
    "top_half": top_half,
    "calibration_error": calibration_error,
    "log_loss": log_loss,
}


def _recorded(event: Proposed, position: int) -> Recorded:
    return Recorded(
        position,
        event.stream,
        position,
        event.source,
        event.id,
        event.occurred_at,
        event.business_date,
        event.occurred_at,
        event.cause,
        event.data,
    )
