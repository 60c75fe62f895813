"""Why does an offer stand where it stands?

What each feature counts in its score, for and against; and by what it is ahead of the next. Made
from what a decision was made by, with the models of then: so it comes from the journal alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

from domain.offers.catalogue import Catalogue
from domain.offers.events import Candidate, Features, OfferDecided
from domain.offers.ranking import CHANCE, standing_of
from projections.models.learner import Learnt
from projections.models.reasons import LANGUAGES, Reason, Words, reasons_of

FULL = 100.0
FACTORS: dict[str, tuple[str, str]] = {
    "likelihood": ("计入的接受可能性为其 {} 倍", "a yes counts as {} times as likely"),
    "context": ("场景权重为其 {} 倍", "its context counts {} times as much"),
    "value": ("价值为其 {} 倍", "its value is {} times as large"),
    "levers": ("业务杠杆为其 {} 倍", "its lever counts {} times as much"),
}
"""What a priority is multiplied from, as people read how it compares."""
DRAWN = (" (试探抽签; 模型估计为其 {} 倍)", " (drawn to explore; {} times by the models)")
ALTHOUGH = ("，尽管", ", although ")
GROUNDS: dict[str, tuple[str, str]] = {
    "standing": ("{0} 按目录规定先于 {1}", "{0} comes before {1} by the catalogue"),
    "lot": ("该客户属于对照组：由抽签决定先后", "this customer's arm draws lots"),
    "name": ("{0} 与 {1} 权重相同：按名称排列", "{0} and {1} weigh the same: by name"),
    "nothing": ("{1} 的价值或抽签结果为零", "the value or the draw of {1} is nothing"),
    "weighed": ("{0} 先于 {1}：{2}", "{0} is ahead of {1}: {2}"),
}
BY_VALUE: dict[str, str] = {
    "no consent to profiling": "客户未同意个性化分析",
    "no consent to financial-marketing": "客户未同意金融营销",
    "asked for without personalisation": "询问时要求不作个性化",
    "a model cannot be read": "模型无法读取",
}
"""Why models had no say, in Chinese, by what a decision says."""


@dataclass(frozen=True)
class Ahead:
    """By what an offer is ahead of the next.

    `times` has, for each factor that is not the same, how many times that of the next it is; their
    product is the ratio of the priorities. The likelihood is that which counted: drawn, where
    offers are explored.
    """

    of: str
    ground: str
    times: Mapping[str, float]
    words: Words


@dataclass(frozen=True)
class Because:
    """Why an offer stands in its place.

    `intercept`, the log-odds of whom nothing is known, and the counts of all features add up to the
    score. Nothing of that where the models had no say: then `unasked` says why.
    """

    offer: str
    score: float | None
    intercept: float | None
    features: tuple[Reason, ...]
    ahead: Ahead | None
    unasked: Words | None


def because(
    decided: OfferDecided, catalogue: Catalogue, models: Mapping[str, Learnt]
) -> tuple[Because, ...]:
    """Why each candidate of a decision, told in full, stands in its place; the first first."""
    unasked = _unasked(decided.by_value)
    return tuple(
        Because(
            each.offer,
            each.score,
            *_in_score(each, decided.features, catalogue.currency, models[each.offer]),
            _ahead(each, other, decided, catalogue) if other else None,
            unasked,
        )
        for each, other in zip_longest(decided.candidates, decided.candidates[1:])
    )


def _in_score(
    candidate: Candidate, known: Features, currency: str, learnt: Learnt
) -> tuple[float | None, tuple[Reason, ...]]:
    if candidate.score is None or learnt.ready is None:
        return None, ()
    return learnt.ready.model.intercept, reasons_of(learnt.ready, known, currency)


def _ahead(
    first: Candidate, other: Candidate, decided: OfferDecided, catalogue: Catalogue
) -> Ahead:
    names = [
        {
            language: catalogue.find(each.offer).name.get(language, each.offer)
            for language in LANGUAGES
        }
        for each in (first, other)
    ]
    ground, times = _ground(first, other, decided, catalogue), dict[str, float]()
    if ground == "weighed":
        pairs = zip(_factors(first, decided), _factors(other, decided), strict=True)
        times = {name: one / another for (name, one), (_, another) in pairs if one != another}
    said = {
        language: GROUNDS[ground][place].format(
            *(name[language] for name in names), _compared(times, first, other, place)
        )
        for place, language in enumerate(LANGUAGES)
    }
    return Ahead(other.offer, ground, times, said)


def _compared(times: Mapping[str, float], first: Candidate, other: Candidate, place: int) -> str:
    """The factors that speak for an offer, the strongest first, and those in spite of which."""
    said = {name: FACTORS[name][place].format(f"{ratio:.3g}") for name, ratio in times.items()}
    if "likelihood" in said and (first.drawn, other.drawn) != (None, None):
        said["likelihood"] += DRAWN[place].format(f"{first.propensity / other.propensity:.3g}")
    speak_for, against = (
        ("；", "; ")[place].join(
            said[name]
            for name in sorted(times, key=lambda name: -times[name])
            if (times[name] > 1) == wanted
        )
        for wanted in (True, False)
    )
    return ALTHOUGH[place].join(filter(None, (speak_for, against)))


def _ground(first: Candidate, other: Candidate, decided: OfferDecided, catalogue: Catalogue) -> str:
    offers = [catalogue.find(each.offer) for each in (first, other)]
    standings = [standing_of(each, decided.arm) for each in offers]
    if standings[0] != standings[1]:
        return "standing"
    if decided.arm in CHANCE and not offers[0].limited:
        return "lot"
    if first.priority == other.priority:
        return "name"
    return "weighed" if other.priority > 0 else "nothing"


def _factors(candidate: Candidate, decided: OfferDecided) -> Iterator[tuple[str, float]]:
    """What the priority of a candidate is the product of."""
    yield "likelihood", candidate.propensity if candidate.drawn is None else candidate.drawn
    yield "context", candidate.context_percent / FULL
    yield "value", 1.0 if decided.arm == "propensity" else float(candidate.value)
    yield "levers", candidate.levers_percent / FULL


def _unasked(why: str | None) -> Words | None:
    if why is None:
        return None
    return {
        "zh": f"排序未使用客户信息：{BY_VALUE.get(why, why)}",
        "en": f"Ranked without anything that is known of the customer: {why}",
    }
