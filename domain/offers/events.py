"""Which offer was made to the customer, why, what became of it, and what there is to learn from
the answer.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from domain.access.events import Purpose
from domain.event import (
    NOBODY,
    WITH_CUSTOMERS,
    Channel,
    Identifier,
    Interaction,
    Line,
    PlausibleDate,
    Price,
    Role,
    Stream,
    later,
    unsaid,
)

FeatureName = Annotated[
    str, StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")
]
"""Any text of one line."""
FeatureValue = Annotated[int, Field(ge=-(10**12), le=10**12)]
Features = Annotated[dict[FeatureName, FeatureValue], Field(max_length=200)]
"""What was known at the time of a decision, as whole numbers; a category is `name=value` with 1."""
Probability = Annotated[float, Field(ge=0, le=1)]
Position = Annotated[int, Field(ge=0)]

DECISIONS = "tierfold/decisions"
"""The source of the bank's own decisions."""
CATALOGUES = "policy:catalogues"
"""The stream that has every catalogue in full."""
Stage = Literal["eligibility", "applicability", "suitability", "consent", "contact", "exploration"]
Arm = Literal["usual", "random", "propensity", "no-levers", "eligible"]
"""How a customer's offers are chosen.

As usual, or as one of the hold-outs that show what each part of the choice is worth.
"""


@dataclass(frozen=True)
class Candidate:
    """An offer that passed the funnel.

    Propensity P in 0..1, context C and levers L in percent, value V in minor units.

    `propensity` is the calibrated one, `score` what the model said before calibration (log-odds),
    `evidence` how many answers stand behind it, `drawn` the draw that took its place in the choice;
    the priority is P x C x V x L.
    """

    # trap: a pydantic model is checked, and five times as dear, wherever we make one ourselves
    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)
    offer: Identifier
    propensity: Probability
    value: Price
    priority: float
    model: Line
    score: Annotated[float | None, unsaid(None)] = None
    evidence: Annotated[float, unsaid(0)] = 0
    drawn: Annotated[Probability | None, unsaid(None)] = None
    context_percent: Annotated[int, unsaid(100)] = 100
    levers_percent: Annotated[int, unsaid(100)] = 100


class Rivals(BaseModel):
    """The candidates that are not shown, best first: the fields of `Candidate`, a column each.

    What the catalogue says of them is not repeated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    offer: tuple[Identifier, ...]
    propensity: tuple[Probability, ...]
    model: tuple[Line, ...]
    score: tuple[float | None, ...]
    evidence: tuple[float, ...]
    drawn: tuple[Probability | None, ...]

    @model_validator(mode="after")
    def _even(self) -> Self:
        if len({len(column) for _, column in self}) != 1:
            raise ValueError("the columns are not equally long")
        return self


class Dropped(BaseModel):
    """An offer that did not pass the funnel, with the stage and the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    offer: Identifier
    stage: Stage
    reason: Line


class Asker(BaseModel):
    """Who asked what to offer, as what, and for what."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    who: Identifier
    role: Role
    purpose: Purpose


class Drops(BaseModel):
    """The offers that did not pass a stage for one reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    stage: Stage
    reason: Line
    offers: tuple[Identifier, ...]


class OfferDecided(Interaction):
    """The bank decided what to offer.

    Candidates best first, drops with reasons, and all that it decided by.

    `offers` are those to show, at most `limit`; `offer` is the first of them. What is stored has
    these alone as `candidates`, the others as `rivals`, and `drops` by stage and reason instead of
    `dropped`. `probability`, how likely the first was to become the first, follows from them; older
    releases stored it, and all candidates. The draws are seeded with the decision's own number.
    `upto` has the position that each group of read models had folded for the customer (or the
    stream that is named behind it), `full` the numbers of the caps that somebody else had just used
    up, `by_value` why the models had no say, if they had none, and `broken` the models that could
    not be read. An offer that is not shown by `present_by` gives up its place with the caps; one
    that is shown is answered by `answer_by` or lapses. `asked` has who asked, as what and for what:
    a decision is a look at the customer too. `policy` is that of the scheme that counted for the
    customer, by the `precedence`, if one was adopted.
    """

    senders = NOBODY
    decision: Identifier
    channel: Channel
    offer: Identifier | None = None
    candidates: tuple[Candidate, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    features: Features
    catalogue: Line
    policy: Line | None = None
    offers: tuple[Identifier, ...] = later(())
    limit: Annotated[int, Field(ge=1, le=10)] = later(1)
    arm: Arm = later("usual")
    probability: Probability | None = later(None)
    personalised: bool = later(True)
    by_value: Line | None = later(None)
    upto: dict[Line, Position] = later({})
    broken: dict[Identifier, Line] = later({})
    full: tuple[Annotated[int, Field(ge=0)], ...] = later(())
    present_by: AwareDatetime | None = later(None)
    answer_by: PlausibleDate | None = later(None)
    asked: Asker | None = later(None)
    rivals: Rivals | None = later(None)
    drops: tuple[Drops, ...] = later(())
    precedence: Line | None = later(None)
    model_config = ConfigDict(strict=False)  # a list of candidates may come from JSON or from us


class OfferPresented(Interaction):
    """The offer was shown to the customer."""

    senders = WITH_CUSTOMERS
    decision: Identifier
    offer: Identifier
    channel: Channel


class OfferAccepted(Interaction):
    """The customer said yes."""

    senders = WITH_CUSTOMERS
    decision: Identifier
    offer: Identifier
    channel: Channel


class OfferDeclined(Interaction):
    """The customer said no."""

    senders = WITH_CUSTOMERS
    decision: Identifier
    offer: Identifier
    channel: Channel


class OfferLapsed(Interaction):
    """The customer did not answer in time."""

    senders = NOBODY
    customer_seen = False
    decision: Identifier
    offer: Identifier


class MemberContacted(Interaction):
    """A member of a household was contacted: what the others' caps count."""

    concerns = ("household",)
    whom = "member"
    senders = NOBODY
    member: Stream
    channel: Channel
    at: datetime
    name: Line


class ExampleLabelled(Interaction):
    """An answer to an offer, beside what was known when the offer was decided.

    One example for its model.

    `propensity` and `score` are what the model said then, calibrated and before; `model` is its
    name and the version of the last example that it had learnt from. A modeller may hand in others,
    of any model: what is known of whom, and what came of it.
    """

    concerns = ("model",)
    whom = "customer"
    senders = ("modeller",)
    offer: Identifier
    decision: Identifier
    customer: Stream
    features: Features
    accepted: bool
    propensity: Probability | None = later(None)
    score: float | None = later(None)
    model: Line | None = later(None)


class ModelDrifted(Interaction):
    """A model's loss has changed.

    The mean of the examples before the change, and after it, in thousandths of a nat.
    """

    concerns = ("model",)
    senders = NOBODY
    examples: Annotated[int, Field(ge=0)]
    before: int
    after: int


class CatalogueAdopted(Interaction):
    """From here on decisions may name this catalogue; kept in full, so that each can be
    made again.
    """

    concerns = ("policy",)
    senders = NOBODY
    label: Line
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    catalogue: dict[str, JsonValue]
