"""Which restatements are there, how far is each, and who decided so?

Each step is an event. One that is not allowed changes nothing: whoever sent it was told before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from domain.access.four_eyes import same_person
from domain.fastcopy import changed
from domain.restatements.events import (
    RestatementApplied,
    RestatementApproved,
    RestatementPromoted,
    RestatementProposed,
    RestatementRolledBack,
    RestatementStep,
    RestatementWithdrawn,
)
from domain.restatements.scope import Scope, overlap

State = Literal["proposed", "promoted", "rolled-back", "withdrawn"]


@dataclass(frozen=True)
class Approval:
    """Who agreed, after having seen which comparison, up to which position of each shard."""

    by: str
    report: str
    upto: tuple[int, ...]


@dataclass(frozen=True)
class Restatement:
    """What is to count anew and why, who brought it, who agreed, and how far it is.

    `applied` says how many customers the last promotion or roll-back has changed; None as long as
    it has not reached all. `left_out` are those who could not be read.
    """

    scope: Scope
    reason: str
    by: str
    state: State = "proposed"
    approvals: tuple[Approval, ...] = ()
    applied: int | None = None
    left_out: int = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether it was promoted or rolled back, and has not reached all."""
        return self.state in ("promoted", "rolled-back") and self.applied is None


@dataclass(frozen=True)
class Restatements:
    """Every restatement that was ever proposed, by its name."""

    known: dict[str, Restatement] = field(default_factory=dict)


def evolve(state: Restatements, step: RestatementStep) -> Restatements:
    """The restatements after one more step."""
    if refusal(state, step) is not None:
        return state
    known = state.known.get(step.restatement)
    after = _proposed(step) if isinstance(step, RestatementProposed) else _stepped(known, step)
    return Restatements({**state.known, step.restatement: after})


def refusal(state: Restatements, step: RestatementStep) -> str | None:  # noqa: C901, PLR0911 - one line a case
    """Why a step is not allowed; None if it is."""
    name, known = step.restatement, state.known.get(step.restatement)
    match step:
        case RestatementProposed():
            if known is not None:
                return f"there is a restatement {name} already: give this one another name"
            return next(_overlapping(state.known, _proposed(step).scope), None)
        case _ if known is None:
            return f"there is no restatement {name}"
        case RestatementApproved(by=by) if same_person(by, known.by):
            return f"{known.by} brought {name}, and somebody else has to approve it"
        case RestatementApproved() | RestatementPromoted() | RestatementWithdrawn() if (
            known.state != "proposed"
        ):
            return f"{name} is {known.state}"
        case RestatementPromoted(report=report) if report not in {
            each.report for each in known.approvals
        }:
            return f"{name} has no approval: compare, and have somebody else approve"
        case RestatementPromoted() if (busy := _unfinished(state.known)) is not None:
            return f"{busy} has not reached all yet: let it end first"
        case RestatementRolledBack() if known.state != "promoted":
            return f"{name} is {known.state}: only what was promoted is rolled back"
        case RestatementRolledBack() if (busy := _unfinished(state.known)) not in (None, name):
            return f"{busy} has not reached all yet: let it end first"
        case RestatementRolledBack(by=by) if same_person(by, known.by):
            return f"{known.by} brought {name}, and somebody else has to roll it back"
        case RestatementApplied(taken_back=back) if not known.is_unfinished or back != (
            known.state == "rolled-back"
        ):
            return f"{name} has nothing to reach"
        case _:
            return None


def _unfinished(known: Mapping[str, Restatement]) -> str | None:
    """The restatement that is on its way to its customers, if there is one."""
    return next((name for name, each in known.items() if each.is_unfinished), None)


def _overlapping(known: Mapping[str, Restatement], scope: Scope) -> Iterator[str]:
    """What else is on its way for the same months of the same customers."""
    for name, other in known.items():
        if (other.state == "proposed" or other.is_unfinished) and overlap(other.scope, scope):
            yield (
                f"it overlaps with {name}, which is {other.state} and not done: end that one first"
            )


def _proposed(said: RestatementProposed) -> Restatement:
    scope = Scope(said.months, said.customers, said.source, said.ids, said.reversals)
    return Restatement(scope, said.reason, said.by)


def _stepped(known: Restatement | None, step: RestatementStep) -> Restatement:
    assert known is not None
    match step:
        case RestatementApproved(by=by, report=report, upto=upto):
            return changed(known, approvals=(*known.approvals, Approval(by, report, upto)))
        case RestatementPromoted(report=report):
            chosen = tuple(each for each in known.approvals if each.report == report)
            return changed(known, state="promoted", applied=None, approvals=chosen[-1:])
        case RestatementRolledBack():
            return changed(known, state="rolled-back", applied=None)
        case RestatementApplied(customers=customers, left_out=left_out):
            return changed(known, applied=customers, left_out=left_out)
        case _:
            return changed(known, state="withdrawn")
