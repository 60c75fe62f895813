"""Who learns beside whom?

Contacts fed as decisions and answers, each scored before its answer is known.

Peers in the same run: plain river, a batch logistic regression fitted again every hundred rows on
the last 20,000 whose answers are known, Pega's adaptive naive Bayes, and the mere share of yes
among the last answers known, which tells how much of an error is drift.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
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
from replay.evaluation.metrics import (
    alift,
    auc,
    auc_within_blocks,
    calibration_error,
    log_loss,
    top_half,
)
from replay.history.from_file import as_recorded

DELAYS = (0, 50, 500, 2_000)
WINDOW = 20_000
AGAIN = 100
RATES = (200, 2_000, 20_000)
OFFER = "term-deposit"
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
            self.model = MODEL.evolve(self.model, as_recorded(example, self._learnt, self._learnt))

    def _happened(self, number: int, data: Interaction) -> Recorded:
        at = BEGUN + timedelta(minutes=len(self.said))
        self.said.append(
            Proposed("uci", f"e{len(self.said)}", f"customer:{number}", at, at.date(), data)
        )
        return as_recorded(self.said[-1], len(self.said), len(self.said))


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


class River:
    """What river's own documentation begins with: numbers scaled, categories one-hot, a logistic
    regression with AdaGrad.
    """

    def __init__(self) -> None:
        from river import compose, linear_model, optim, preprocessing

        numbers = compose.SelectType(int) | preprocessing.StandardScaler()
        categories = compose.SelectType(str) | preprocessing.OneHotEncoder()
        self._model = (numbers + categories) | linear_model.LogisticRegression(optim.AdaGrad(0.1))

    def propensity(self, _number: int, row: Row) -> float:
        """The probability of a yes."""
        return float(self._model.predict_proba_one(self._seen(row)).get(True, 0.5))

    def learn(self, _number: int, row: Row) -> None:
        """One example more."""
        self._model.learn_one(self._seen(row), row.accepted)

    def _seen(self, row: Row) -> dict[str, int | str]:
        return dict(
            (name.partition("=")[0], name) if "=" in name else (name, value)
            for name, value in row.features.items()
        )


class Batch:
    """A logistic regression on all that is known of the last contacts, fitted again now and then,
    once it is asked for what is scored.
    """

    def __init__(self, asked_from: int) -> None:
        self._from = asked_from
        self._known: list[Row] = []
        self._fitted: Any = None
        self._asked = 0

    def propensity(self, number: int, row: Row) -> float:
        """The probability of a yes, by the last fit."""
        if number < self._from:
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


def compared(
    name: str, contacts: Sequence[Row], scored_from: int, delays: Sequence[int] = DELAYS
) -> list[Figure]:
    """What a model is worth at each delay, beside the peers, of the rows from `scored_from` on."""
    came = np.array([row.accepted for row in contacts[scored_from:]])
    figures = []
    for delay in delays:
        said = {
            learner: np.array(prequential(each, contacts, delay)[scored_from:])
            for learner, each in _learners(scored_from).items()
        }
        for measure, of in MEASURES.items():
            found = {learner: of(values, came) for learner, values in said.items()}
            figures.append(
                Figure(f"{name}_{measure}_delay_{delay}", found.pop("ours"), "", {}, found)
            )
    return figures


def _learners(scored_from: int) -> dict[str, Learner]:
    return {
        "ours": Ours(),
        "plain river": River(),
        "batch, fitted every 100": Batch(scored_from),
        "adaptive naive Bayes": Bayes(),
        **{f"share of yes, last {window:,}": Rate(window) for window in RATES},
    }


MEASURES: dict[str, Callable[[Any, Any], float]] = {
    "auc_within_blocks": auc_within_blocks,
    "auc": auc,
    "alift": alift,
    "top_half": top_half,
    "calibration_error": calibration_error,
    "log_loss": log_loss,
}
