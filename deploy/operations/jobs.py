"""What is done for a job? The same as by the command of its name, in a process of its own."""

import asyncio
import os
import re
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from deploy.active_groups import policies_of, present_of
from deploy.observability.logs import set_up_logs
from deploy.operations.bundles import bundle_of
from deploy.operations.disclosure import as_file, disclosed, note
from deploy.operations.facts import gather
from deploy.operations.finding import found_by_name
from deploy.operations.orders import Command, carry_out, must_be_over, people
from deploy.operations.quarantine import Clearing, Fate, clear, re_drive
from deploy.operations.rollout import bank_of
from deploy.policy_files import read_text
from deploy.reports.policy_in_words import in_words
from deploy.reports.saying import Language
from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import existing_journal
from domain.rollout.events import standings_of
from domain.rollout.lifecycle import KINDS, Policy
from domain.rules.conditions import AtLeast
from domain.tiering.amounts import with_units
from domain.tiering.policy import TierPolicy
from projections.redis import RedisError
from projections.registry import Present
from projections.rollout.versions import name_of
from replay.erasure import commands as erasure
from replay.erasure.commands import Order
from replay.erasure.disclosure import NothingKnown, privacy_report
from replay.erasure.retention import due
from replay.evaluation.arms import arms_seen, outcomes, without_few
from replay.evaluation.funnel import funnel
from replay.history.changes import changes
from replay.policies.compare_policies import PolicyCompared
from replay.policies.window import Window
from replay.rebuild import verify
from replay.rebuild.workers import NICE, die_with_parent
from replay.rollout import commands, comparing, rebuilding
from replay.rollout.bank import RolloutDependencies
from replay.rollout.compare_orders import Reordered
from replay.rollout.front_door import NotSeen
from replay.rollout.names import LIVE, group_named, group_of, version_of
from replay.rollout.steps import NotAllowed
from replay.web.what_if import without_names
from replay.what_if.candidates import Curve, around, what_if
from replay.what_if.columns import BadColumns, Columns
from replay.what_if.compare import Comparison
from replay.what_if.snapshot import kept_columns
from streams.queries.quarantine import NoEntry, find
from streams.web.jobs import Job, Telling

log = structlog.get_logger()
Asked = dict[str, Any]
MISTAKES = (UserError, NotAllowed, NoEntry, NothingKnown)
"""What whoever asked can mend; anything else is ours."""
RECENT = timedelta(hours=24)
"""Facts that were gathered so long ago are good enough to try a rule on."""
CLEARED: dict[str, Fate] = {"re-drive": "re-driven", "discard": "discarded"}
"""By the kind of a job, what becomes of an entry of the quarantine."""
ORDERS: dict[str, Command] = {
    "restrict": erasure.restrict,
    "lift": erasure.lift,
    "forget": erasure.erase,
}
"""By the kind of a job, what a privacy officer orders."""
Act = Callable[[RolloutDependencies, Asked, str], Awaitable[Any]]
"""What to do with the bank, what was asked, and by whom."""


def perform(settings: Settings, file: Path) -> None:
    """Do the job of a file, and say in it what came of it."""
    die_with_parent()  # trap: with the thread that began it; those of asyncio's pool stay
    signal.signal(signal.SIGTERM, _left)
    os.nice(NICE)
    set_up_logs("warning", "job")
    telling = Telling(file)
    try:
        result = asyncio.run(_result(settings, telling))
    except NotSeen as error:
        telling.end("unseen", error=str(error))
    except RedisError as error:
        telling.end("refused", error=f"the read models do not answer ({error}): ask once more")
    except MISTAKES as error:
        telling.end("refused", error=str(error))
    except Exception as error:
        log.exception("job_failed", job=telling.job.job, kind=telling.job.kind)
        telling.end("failed", error=type(error).__name__)
    else:
        telling.end("done", result)


def _left(_number: int, _frame: FrameType | None) -> None:
    """Leave what is going on as by an error, so that what was done is put on record."""
    raise SystemExit(1)


async def _result(settings: Settings, telling: Telling) -> Any:
    job = telling.job
    if job.kind == "check":
        return _checked(settings, job.asked)
    if job.kind in ORDERS:
        return await asyncio.to_thread(_ordered, settings, job)
    if job.kind == "due":
        return await asyncio.to_thread(_due, settings)
    if job.kind in GIVEN:
        return await asyncio.to_thread(GIVEN[job.kind], settings, telling)
    async with bank_of(settings, telling.progress) as deps:
        if job.kind in CLEARED:
            return await asyncio.to_thread(_cleared, settings, deps, job)
        if job.kind == "try":
            return await _try(settings, deps, job.asked)
        if job.kind == "find":
            return await _found(settings, deps, telling)
        return await ACTS[job.kind](deps, job.asked, job.by)


def _checked(settings: Settings, asked: Asked) -> Any:
    """What was written, in words; raises `UserError` as `_policy` and `_must_be_new` do."""
    policy = _policy(asked)
    _must_be_new(policy, present_of(settings))
    return asdict(in_words(policy, Language(asked["language"])))


def _must_be_new(policy: Policy, seen: Present) -> None:
    """Raises `UserError` for another text under a version that was brought: people could not tell
    the two apart.
    """
    named = name_of(policy)
    label = named.rpartition("/")[0]
    group = standings_of(policy.scheme) if isinstance(policy, TierPolicy) else group_of(policy)
    live = seen.rules.policies.get(policy.scheme) if isinstance(policy, TierPolicy) else None
    known = [*seen.versions.lineup(group).known, *([name_of(live)] if live else [])]
    if any(name.startswith(f"{label}/") and not name.startswith(named) for name in known):
        stem = f"{label.rpartition('@')[0]}@"
        taken = (name.removeprefix(stem) for name in known if name.startswith(stem))
        free = 1 + max(int(name.partition("/")[0]) for name in taken)
        raise UserError(f"version: {label} is there with another text; write {free} or more")


async def _try(settings: Settings, deps: RolloutDependencies, asked: Asked) -> Any:
    policy = _policy(asked)
    if not isinstance(policy, TierPolicy):
        over = comparing.Tried(asked["days"], asked["sample"])
        return shown(await comparing.try_policy(deps, policy, over))
    columns = _recent(settings) or await gather(settings, shown=deps.progress)
    live = present_of(settings).rules.policies
    [found] = await asyncio.to_thread(what_if, columns, live, [policy])
    drawn = await asyncio.to_thread(around, columns, policy)
    curves = [_curve(policy, each) for each in drawn]
    return {**shown(found), **_words(policy, live), "curves": curves}


def _curve(policy: TierPolicy, curve: Curve) -> dict[str, Any]:
    """How many would stand in a tier or above, by the bound of its quantity."""
    place = policy.rank(curve.tier) or 0
    reach = policy.tiers[place].reach
    assert isinstance(reach, AtLeast)
    points = [asdict(point) for point in curve.points]
    return {
        "tier": curve.tier,
        "quantity": reach.quantity,
        "bound": reach.at_least,
        "points": points,
    }


def _cleared(settings: Settings, deps: RolloutDependencies, job: Job) -> Any:
    """What became of an entry of the quarantine."""
    entry = job.asked["entry"]
    how = Clearing(CLEARED[job.kind], job.by, job.asked["reason"])
    place, _ = find(deps.journal, entry)
    if job.kind == "discard":
        clear(settings, deps.producer, deps.journal, [place], how)
    elif not re_drive(settings, deps.producer, deps.journal, [entry], how):
        raise UserError("there is nothing in it to send")
    return {"entry": entry, "fate": how.fate}


def _ordered(settings: Settings, job: Job) -> Any:
    """What was done about a customer: of how many numbers, what is left, and the certificate."""
    subjects = people(settings, [job.asked["customer"]])
    if job.kind == "forget" and not job.asked["early"]:
        must_be_over(settings, subjects)
    order = Order(subjects, job.by, job.asked["reason"])
    done = carry_out(settings, ORDERS[job.kind], order, job.job)
    return {
        "numbers": len(subjects),
        "places": done.certificate.places,
        "undone": done.certificate.undone,
        "wrong": done.certificate.wrong,
        "certificate": done.file.name,
    }


async def _found(settings: Settings, deps: RolloutDependencies, telling: Telling) -> Any:
    """Customers of a name; each look at them is written down when somebody reads this."""
    privacy = policies_of(settings, deps.journal).privacy
    found = await found_by_name(deps, privacy, telling.job.asked["called"])
    telling.is_about([f"customer:{each['customer']}" for each in found.customers])
    return found._asdict()


def _exported(settings: Settings, telling: Telling) -> Any:
    """What is known of a customer, in a file for the customer."""
    customer = telling.job.asked["customer"]
    found = disclosed(settings, customer, telling.job.by)
    numbers = [f"customer:{number}" for number in (customer, *found["others"])]
    telling.give(f"{named(customer)}.json", as_file(found), numbers)
    every = (found, *found["others"].values())
    return {name: sum(len(each[name]) for each in every) for name in ("events", "looks")}


def _bundled(settings: Settings, telling: Telling) -> Any:
    """A customer's history, in a file that proves it; the look at each number of the person is on
    record.
    """
    customer, journal = telling.job.asked["customer"], existing_journal(settings)
    made, numbers = bundle_of(settings, customer), people(settings, [customer])
    for number in numbers:
        name = number.removeprefix("customer:")
        asyncio.run(note(settings, journal, name, telling.job.by, "bundle"))
    telling.give(f"{named(customer)}.bundle", made.content, numbers)
    return {"events": made.events, "newer": made.newer, "decisions": made.decisions}


def named(customer: str) -> str:
    """A customer's number, as a file may be called."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", customer)


GIVEN: dict[str, Callable[[Settings, Telling], Any]] = {"export": _exported, "bundle": _bundled}
"""By the kind of a job, what makes a file to be taken away."""


def _due(settings: Settings) -> Any:
    """What the report says, and whose time is over."""
    journal = existing_journal(settings, for_auditors=True)
    policy = policies_of(settings, journal).privacy
    report = privacy_report(journal, policy)
    over = [
        {"customer": each.stream.removeprefix("customer:"), "left": each.left, "until": each.until}
        for each in due(journal, policy.longest)
    ]
    return {**{name: said for name, said in report.items() if name != "said"}, "due": over}


def _recent(settings: Settings) -> Columns | None:
    """The facts that are kept, if they were gathered a short while ago and can be read."""
    try:
        return kept_columns(settings.facts, RECENT)
    except BadColumns:
        return None


async def _propose(deps: RolloutDependencies, asked: Asked, by: str) -> Any:
    policy = _policy(asked)
    _must_be_new(policy, deps.present())
    if isinstance(policy, TierPolicy):
        return await rebuilding.rebuild(deps, "tier", policy, by, None)
    return await commands.propose(deps, policy, by)


async def _compare(deps: RolloutDependencies, asked: Asked, _by: str) -> Any:
    over = comparing.Tried(asked["days"], asked["sample"])
    found = await comparing.compare(deps, LIVE, asked["version"], over, asked["of"])
    if not isinstance(found, Comparison):
        return shown(found)
    seen = deps.present()
    group, version = version_of(seen, "tier", asked["version"])
    policy = seen.policy_of(group_named(seen, group, version))
    return {**shown(found), **_words(policy, seen.rules.policies)}


async def _approve(deps: RolloutDependencies, asked: Asked, by: str) -> Any:
    over = comparing.Tried(asked["days"], asked["sample"])
    return await commands.approve(deps, asked["of"], asked["version"], asked["report"], by, over)


async def _promote(deps: RolloutDependencies, asked: Asked, by: str) -> Any:
    return await commands.promote(deps, asked["of"], asked["version"], by)


async def _roll_back(deps: RolloutDependencies, asked: Asked, by: str) -> Any:
    return await commands.roll_back(deps, asked["of"], by, asked["reason"], asked["scheme"])


async def _verify(deps: RolloutDependencies, asked: Asked, _by: str) -> Any:
    with deps.progress("verified", None) as advance:
        found = await verify.verify(
            deps.store, deps.journal, deps.present(), asked["sample"], advance
        )
    return {name: each for name, each in asdict(found).items() if name != "ranges"}


async def _funnel(deps: RolloutDependencies, asked: Asked, _by: str) -> Any:
    window = Window(datetime.now(deps.zone), asked["days"], asked["sample"])
    with deps.progress("looked at", None) as advance:
        return asdict(await asyncio.to_thread(funnel, deps.journal, window, advance))


async def _value(deps: RolloutDependencies, _asked: Asked, _by: str) -> Any:
    found = await asyncio.to_thread(list, outcomes(deps.journal))
    return {"answered": len(found), "arms": [without_few(arm) for arm in arms_seen(found)]}


ACTS: dict[str, Act] = {
    "propose": _propose,
    "compare": _compare,
    "approve": _approve,
    "promote": _promote,
    "roll-back": _roll_back,
    "verify": _verify,
    "funnel": _funnel,
    "value": _value,
}


def _policy(asked: Asked) -> Policy:
    """The policy that was written; raises `UserError` where it is of something else than was said,
    so that nobody brings what is another's to decide about.
    """
    policy = read_text(asked["policy"])
    of = next((kind.name for kind in KINDS.values() if isinstance(policy, kind.says)), "tier")
    if of != asked["of"]:
        raise UserError(f"this is a policy of {of}, not of {asked['of']}")
    return policy


def _words(policy: TierPolicy, live: Mapping[str, TierPolicy]) -> dict[str, Any]:
    """What a rule calls its tiers, its currency, what it measures as money in it, and where it says
    otherwise than the live one of its scheme.
    """
    before = live.get(policy.scheme)
    said = [with_units(each.said) for each in (before, policy) if each]
    return {
        "tiers": policy.names,
        "amounts": policy.amounts,
        "currency": policy.currency,
        "changes": [asdict(each) for each in changes(*said)] if before else [],
    }


def shown(found: Comparison | Reordered | PolicyCompared) -> dict[str, Any]:
    """A comparison without the names of those who move: how many, and why."""
    match found:
        case Comparison():
            return without_names(found)
        case Reordered():
            counts = [each._asdict() for each in found.counts]
            movers = [{**each._asdict(), "customer": None} for each in found.movers]
            return {**vars(found), "counts": counts, "movers": movers, "digest": found.digest}
        case PolicyCompared():
            said = asdict(found)
            if found.tried:
                said["tried"]["moved"] = [
                    {**asdict(each), "customer": None, "decision": None}
                    for each in found.tried.moved
                ]
            return {**said, "digest": found.digest}
