"""How does a policy read? In sentences, in Chinese and English; a tiering rule also as a ladder."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.reports.catalogue_in_words import Offering
from deploy.reports.rule_in_words import Rung, Tiering
from deploy.reports.saying import Language, Saying
from domain.access.privacy_policy import PrivacyPolicy
from domain.bank.arrival_policy import ArrivalPolicy
from domain.offers.catalogue import Catalogue
from domain.rollout.lifecycle import Policy
from domain.tiering.policy import TierPolicy
from domain.tiering.precedence import Precedence


@dataclass(frozen=True)
class PolicyInWords:
    """A policy as people read it: sentences, and of a tiering rule the tiers from the highest
    down.
    """

    label: str
    digest: str
    sentences: tuple[str, ...]
    ladder: tuple[Rung, ...] = ()


def in_words(policy: Policy, language: Language) -> PolicyInWords:
    """A policy as people of a language read it."""
    tiering, ladder = Tiering(language), tuple[Rung, ...]()
    match policy:
        case TierPolicy():
            sentences = tiering.sentences(policy)
            ladder = tuple(
                tiering.rung(policy, number) for number in reversed(range(len(policy.tiers)))
            )
        case Precedence():
            sentences = tiering.order(policy)
        case Catalogue():
            sentences = Offering(language).sentences(policy)
        case PrivacyPolicy():
            sentences = _kept(Saying(language), policy)
        case ArrivalPolicy():
            sentences = _believed(Saying(language), policy)
    return PolicyInWords(policy.label, policy.digest, tuple(sentences), ladder)


def _kept(said: Saying, policy: PrivacyPolicy) -> Iterator[str]:
    """What a privacy policy says, but for its classes."""
    yield said.say(
        "privacy",
        label=policy.label,
        day=policy.effective,
        author=policy.author,
        approver=policy.approver,
        events=len(policy.events),
        read_models=len(policy.read_models),
    )
    for name, kept in policy.retention.items():
        yield said.say("kept", name=name, years=kept.years, because=kept.because)
    yield said.say("refused", words=said.listed(policy.refused))


def _believed(said: Saying, policy: ArrivalPolicy) -> Iterator[str]:
    """What an arrival policy says."""
    usual = policy.otherwise
    yield said.say("arrivals", label=policy.label, back=usual.days_back, ahead=usual.days_ahead)
    for event, span in policy.dates.items():
        yield said.say("dates", event=event, back=span.days_back, ahead=span.days_ahead)
    yield said.say("steps", days=policy.longest_step)
    yield said.say("dearest", base=policy.base, most=policy.dearest)
    for source, keys in policy.business_keys.items():
        for event, fields in keys.items():
            yield said.say("keys", source=source, event=event, fields=said.listed(fields))
