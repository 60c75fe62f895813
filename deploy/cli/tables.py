"""How do answers about the past look in a terminal? Tables; what a bank wrote is shown as it is."""

import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.terminal import errors

if TYPE_CHECKING:
    from domain.rules.conditions import Gap
    from domain.tiering.policy import TierPolicy
    from replay.evaluation.arms import ArmSeen
    from replay.evaluation.foretold import Foreseen
    from replay.evaluation.funnel import Funnel
    from replay.evaluation.off_policy import Estimate
    from replay.history.because import Because
    from replay.history.explain import Explanation
    from replay.history.redecide import Remade
    from replay.policies.compare_policies import PolicyCompared
    from replay.policies.offers_tried import OffersTried
    from replay.rollout.compare_orders import Reordered
    from replay.what_if.candidates import Curve
    from replay.what_if.compare import Comparison

SHOWN = 10
WIDE = 160
"""Columns of a table that goes into a file."""
BARS = 40
WHY = {
    "en": ("offer", "score", "for", "against", "ahead of the next"),
    "zh": ("推荐", "得分", "支持", "反对", "先于下一项的原因"),
}
REASONS = 5
"""Features that are told of what speaks for an offer, and of what speaks against it."""


def print_comparison(found: "Comparison") -> None:
    """From tier to tier, by segment, and the largest who move."""
    console = _console()
    title = (
        f"{found.old} → {found.new}: {found.customers:,} customers through {found.through}, "
        f"{f'{found.apart:,} more set apart, ' if found.apart else ''}"
        f"{found.up:,} up, {found.down:,} down"
    )
    used = [
        place
        for place in range(len(found.columns))
        if any(counts[place] for counts in found.counts)
    ]
    matrix = Table(
        "from \\ to",
        *(found.columns[place] for place in used),
        "assets that move (minor units)",
        "change of yearly fees",
        title=_with_elsewhere(title, found),
    )
    for index, (row, counts, assets) in enumerate(
        zip(found.rows, found.counts, found.assets, strict=True)
    ):
        if any(counts):
            moving = sum(
                amount for name, amount in zip(found.columns, assets, strict=True) if name != row
            )
            fees = f"{sum(found.fees[index]):,}" if found.fees else "another currency"
            matrix.add_row(
                row,
                *(f"{counts[place]:,}" if counts[place] else "" for place in used),
                f"{moving:,}",
                fees,
            )
    console.print(matrix)
    segments = Table(
        "by", "segment", "customers", "up", "down", "assets that move", "change of yearly fees"
    )
    for each in found.segments:
        rates = (f"{count:,} ({count / each.customers:.1%})" for count in (each.up, each.down))
        segments.add_row(
            each.by,
            each.segment,
            f"{each.customers:,}",
            *rates,
            f"{each.assets:,}",
            "" if each.fees is None else f"{each.fees:,}",
        )
    console.print(segments)
    _print_movers(console, found)
    console.print(f"report digest {found.digest}", soft_wrap=True)


def print_reordered(found: "Reordered") -> None:
    """Whose tier would count from where under another precedence."""
    console = _console()
    counts = Table(
        "counts now",
        "would count",
        "customers",
        title=f"{found.new}: {found.moved:,} of {found.customers:,} customers move",
    )
    for each in found.counts:
        counts.add_row(each.before, each.after, f"{each.customers:,}")
    console.print(counts)
    movers = Table("customer", "from", "to", "why", title=f"the first {SHOWN} who move")
    for mover in found.movers[:SHOWN]:
        movers.add_row(mover.customer, mover.before, mover.after, "; ".join(mover.because))
    if found.movers:
        console.print(movers)
    console.print(f"report digest {found.digest}", soft_wrap=True)


def print_policies(found: "PolicyCompared") -> None:
    """Where another policy differs, and what that changes."""
    console = _console()
    places = Table("place", "now", "then", title=f"{found.new} instead of {found.old}")
    for change in found.changes:
        places.add_row(change.place, change.before, change.after)
    console.print(places)
    if (tried := found.tried) is not None:
        print_tried(tried)
    if found.effects or found.today:
        effects = Table("on history", "now", "then")
        for each in (*found.effects, *found.today):
            effects.add_row(each.what, f"{each.before:,}", f"{each.after:,}")
        console.print(effects)
    console.print(f"report digest {found.digest}", soft_wrap=True)


def print_tried(tried: "OffersTried") -> None:
    """Who would have been offered what: by funnel, by segment, and some of them."""
    console = _console()
    console.print(
        f"{tried.looked_at:,} of {tried.decisions:,} decisions from {tried.since} to {tried.until} "
        f"made once more, for {tried.customers:,} customers: {tried.changed:,} show something else"
        + (f"; {tried.left_out:,} cannot be made again" if tried.left_out else ""),
        soft_wrap=True,
    )
    funnel = Table("offer", "ended as", "now", "then", title="funnel, where it differs")
    for reached in tried.funnel:
        funnel.add_row(reached.offer, reached.stage, f"{reached.before:,}", f"{reached.after:,}")
    segments = Table("by", "segment", "decisions", "changed", "offered now", "then")
    for each in tried.segments:
        segments.add_row(
            each.by,
            each.segment,
            *(f"{n:,}" for n in (each.decisions, each.changed, each.before, each.after)),
        )
    moved = Table("customer", "channel", "shown", "then", "why", title=f"the first {SHOWN}")
    for one in tried.moved[:SHOWN]:
        moved.add_row(
            one.customer,
            one.channel,
            ", ".join(one.before),
            ", ".join(one.after),
            "; ".join(one.because),
        )
    for table in (funnel, segments, moved):
        if table.row_count:
            console.print(table)


def print_thresholds(policy: "TierPolicy") -> None:
    """What each tier asks for, with amounts as people write them: a slip of two digits shows.

    Beside the report, on standard error: what is compared stays the same.
    """
    errors.print(f"{policy.label} asks for", soft_wrap=True, markup=False)
    for each in policy.thresholds():
        errors.print(f"  {each}", soft_wrap=True, markup=False)


def print_curve(curve: "Curve") -> None:
    """How many would stand there, threshold by threshold."""
    table = Table(
        "threshold (minor units)",
        "customers there or above",
        "",
        title=f"{curve.tier} of {curve.policy}",
    )
    most = max(point.customers for point in curve.points) or 1
    for point in curve.points:
        table.add_row(
            f"{point.threshold:,}", f"{point.customers:,}", "█" * (BARS * point.customers // most)
        )
    _console().print(table)


def print_explanation(found: "Explanation") -> None:
    """Why this tier: the assessments, the latest first."""
    console = _console()
    held = (
        f", set by hand by {found.override.approver} until {found.override.until}: "
        f"{found.override.reason}"
        if found.override
        else ""
    )
    console.print(
        f"{found.customer} stands in {found.tier or 'no tier'} on {found.on}, since {found.since}, "
        f"missed {found.watch}{held}",
        soft_wrap=True,
    )
    if found.because:
        console.print("; ".join(found.because), soft_wrap=True)
    console.print(f"policy {found.policy}, digest {found.policy_digest}", soft_wrap=True)
    months = Table(
        "month",
        "measured",
        "reached",
        "bounds met",
        "missed",
        "from",
        "to",
        "in a row",
        "events",
        "versions",
        "largest movements (position: amount)",
    )
    for each in found.assessments[::-1]:
        largest = ", ".join(
            f"{moved.position}: {moved.amount:,} {moved.currency}" for moved in each.largest[:3]
        )
        versions = f"{each.first_version} to {each.last_version}" if each.events else ""
        to = f"{each.after} (in dispute)" if each.frozen else each.after
        months.add_row(
            each.month,
            _with_whole(_seen(each.seen), each.whole, each.together),
            each.reached,
            "; ".join(map(str, each.met)),
            _missed(each.missed_for, each.missed),
            each.before,
            to,
            str(each.watch),
            str(each.events),
            versions,
            largest,
        )
    console.print(months)


def _missed(tier: str | None, ways: Sequence[Sequence["Gap"]]) -> str:
    """What was missing for a tier, by each way to reach it."""
    said = " or ".join("; ".join(map(str, way)) for way in ways)
    return f"for {tier}: {said}" if said else ""


def _with_elsewhere(title: str, found: "Comparison") -> str:
    return (
        f"{title}, {found.elsewhere:,} elsewhere (from tiers that {found.new} does not know)"
        if found.elsewhere
        else title
    )


def _print_movers(console: Console, found: "Comparison") -> None:
    shown, moving = found.movers[:SHOWN], found.up + found.down + found.elsewhere
    movers = Table(
        "customer",
        "from",
        "to",
        "assets",
        "seen",
        "why",
        "missing to rise",
        title=f"the {len(shown)} largest of {moving:,} who move",
    )
    for mover in shown:
        seen = _with_whole(_seen(mover.seen), mover.whole, mover.together)
        movers.add_row(
            mover.customer,
            mover.before,
            f"{mover.after} (by hand {mover.by_hand})" if mover.by_hand else mover.after,
            f"{mover.assets:,}",
            seen,
            "; ".join(mover.why),
            "; ".join(mover.missing),
        )
    if shown:
        console.print(movers)


def _console() -> Console:
    """Trap: rich reads square brackets in data as markup, and stumbles over them."""
    return Console(width=None if sys.stdout.isatty() else WIDE, markup=False, highlight=False)


def print_decision(found: "Remade") -> None:
    """Why this offer: the candidates, the best first, what was dropped and why, and whether it
    comes out the same.
    """
    console, said = _console(), found.in_full
    console.print(
        f"decision {found.decision} for {found.customer} at {found.at}, position {found.position} "
        f"of shard {found.shard}",
        soft_wrap=True,
    )
    chosen = (
        f"{', '.join(said['offers'])}, by arm {said.get('arm', 'usual')}, with probability "
        f"{said.get('probability')}"
        if said.get("offers")
        else "nothing"
    )
    console.print(
        f"offered {chosen}, on {said['channel']}, catalogue {said['catalogue']}, tier policy "
        f"{said['policy']}",
        soft_wrap=True,
    )
    if said.get("by_value"):
        console.print(f"ranked by value alone: {said['by_value']}", soft_wrap=True)
    candidates = Table(
        "candidate",
        "propensity P",
        "drawn",
        "evidence",
        "context C %",
        "value V",
        "levers L %",
        "priority",
        "model",
    )
    for each in said["candidates"]:
        drawn = "" if each.get("drawn") is None else f"{each['drawn']:.4f}"
        numbers = (
            f"{each['propensity']:.4f}",
            drawn,
            f"{each.get('evidence', 0):,.0f}",
            str(each.get("context_percent", 100)),
            f"{each['value']:,}",
        )
        candidates.add_row(
            each["offer"],
            *numbers,
            str(each.get("levers_percent", 100)),
            f"{each['priority']:,.1f}",
            each["model"],
        )
    console.print(candidates)
    dropped = Table("dropped", "stage", "reason")
    for each in said["dropped"]:
        dropped.add_row(each["offer"], each["stage"], each["reason"])
    console.print(dropped)
    word = (
        "made once more from the journal: equal, byte for byte"
        if found.equal
        else f"made once more from the journal: DIFFERENT in {', '.join(found.differs)}"
    )
    console.print(word, soft_wrap=True)


def print_because(found: "Iterable[Because]", language: str) -> None:
    """What spoke for each offer and against it, the strongest first, and why it is ahead of the
    next.
    """
    table = Table(*WHY[language], show_lines=True)
    for each in found:
        score = "" if each.score is None else f"{each.score:+.2f}"
        if each.intercept is not None:
            score += f" = {each.intercept:+.2f} …"
        ahead = each.ahead.words[language] if each.ahead else ""
        table.add_row(each.offer, score, *_for_and_against(each, language), ahead)
    _console().print(table)


def _for_and_against(of: "Because", language: str) -> tuple[str, str]:
    if of.unasked is not None:
        return of.unasked[language], ""
    told = [(each.counts, f"{each.words[language]} ({each.counts:+.2f})") for each in of.features]
    return _strongest(told, 1), _strongest(told, -1)


def _strongest(told: "list[tuple[float, str]]", side: int) -> str:
    """The strongest of one side, and what the others come to."""
    some = [(counts, said) for counts, said in told if counts * side > 0]
    lines = [said for _, said in some[:REASONS]]
    if others := some[REASONS:]:
        lines.append(f"… ({sum(counts for counts, _ in others):+.2f})")
    return "\n".join(lines)


def print_foreseen(found: "Sequence[Foreseen]") -> None:
    """One line a model that foresees something, and how far off the next balance was."""
    table = Table("model", "foreseen", "came", "AUC", "log-loss", "usual", "calibration error")
    for each in found:
        if each.missed_by is None:
            measures = (each.auc, each.log_loss, each.usual_log_loss, each.calibration_error)
            numbers = ("" if number is None else f"{number:.4f}" for number in measures)
            table.add_row(each.model, f"{each.judged:,}", f"{each.came:,}", *numbers)
    console = _console()
    console.print(table)
    for each in found:
        if each.missed_by is not None:
            console.print(
                f"next balance, {each.judged:,} times: half of them off by {each.missed_by:,} or "
                f"less, {each.missed_on_average:,} on average; by {each.unchanged_missed_by:,} and "
                f"{each.unchanged_missed_on_average:,} if nothing had changed (minor units)"
            )


def print_models(found: "dict[str, dict[str, Any] | None]") -> None:
    """One line a model."""
    table = Table(
        "model",
        "examples",
        "accepted",
        "AUC",
        "log-loss",
        "calibration error",
        "drifts",
        "last example",
    )
    for name, said in found.items():
        if said is None:
            table.add_row(name, "cannot be read")
            continue
        numbers = (
            f"{said[measure]:.4f}" if said[measure] is not None else ""
            for measure in ("auc", "log_loss", "calibration_error")
        )
        table.add_row(
            name,
            f"{said['examples']:,}",
            f"{said['accepted']:,}",
            *numbers,
            str(said["drifts"]),
            f"{said['last']:%Y-%m-%d %H:%M}",
        )
    _console().print(table)


def print_funnel(found: "Funnel") -> None:
    """Offer by offer, how many decisions it came through, and where it fell away."""
    table = Table(
        "offer",
        "passed",
        "shown",
        "first",
        "fell away",
        "why",
        title=f"{found.looked_at:,} of {found.decisions:,} decisions",
    )
    for offer in found.offers:
        came = (offer.offer, f"{offer.passed:,}", f"{offer.shown:,}", f"{offer.first:,}")
        for fallen in offer.fallen:
            why = "\n".join(
                f"{each.decisions:,} {each.reason or 'reasons of few customers'}"
                for each in fallen.because
            )
            table.add_row(*came, f"{fallen.stage} {fallen.decisions:,}", escape(why))
            came = ("",) * 4
        if not offer.fallen:
            table.add_row(*came, "", "")
    _console().print(table)


def print_arms(arms: "Sequence[ArmSeen]") -> None:
    """What each arm brought, and the lift of the usual choice over it."""
    table = Table(
        "arm",
        "decisions",
        "accepted",
        "value a decision",
        "lift in acceptance",
        "lift in value",
        title="by how offers were chosen",
    )
    for arm in arms:
        lifts = (
            ("",) * 2
            if arm.arm == "usual"
            else tuple(
                f"{_between(each, '+.1%')}, of {each.effective:,.0f} people"
                for each in (arm.lift_accepted, arm.lift_earned)
            )
        )
        table.add_row(
            arm.arm,
            f"{arm.decisions:,}",
            _between(arm.accepted, ".2%"),
            _between(arm.earned, ",.1f"),
            *lifts,
        )
    _console().print(table)


def print_estimates(found: "Sequence[Estimate]") -> None:
    """What another choice would have earned."""
    if found:
        table = Table(
            "method",
            "value a decision",
            "decisions",
            "that speak for it",
            title="the other catalogue, in minor units",
        )
        for each in found:
            table.add_row(
                each.method, _between(each, ",.1f"), f"{each.logged:,}", f"{each.effective:,.0f}"
            )
        _console().print(table)


def _between(found: "Estimate", spelt: str) -> str:
    """A value and its interval; nothing where there is none."""
    return (
        "too few"
        if math.isnan(found.value)
        else f"{found.value:{spelt}} ({found.low:{spelt}} to {found.high:{spelt}})"
    )


def _with_whole(seen: str, whole: str | None, together: dict[str, int]) -> str:
    return f"{seen}; {whole}: {_seen(together)}" if whole else seen


def _seen(seen: dict[str, int]) -> str:
    return ", ".join(f"{name} {value:,}" for name, value in seen.items())
