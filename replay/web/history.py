"""Which questions about the past are answered over HTTP? As known then, and why."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response

from domain.envelope import Recorded
from domain.tiering.policy import TierPolicy
from projections.views.customer import asked_as
from replay.erasure.persons import all_numbers, is_known
from replay.history.access_log import as_told, latest_accesses
from replay.history.as_of import together_as_of
from replay.history.difference import RulesThen
from replay.history.explain import NoScheme, explain
from replay.history.person import person_as_of
from replay.history.redecide import Decisions, Forgotten, Unknown
from streams.folds.active_groups import decided
from streams.journal import Journal
from streams.policies.in_force import InForce
from streams.web.api.customers import CustomerId, refuse_restricted
from streams.web.dependencies import as_json
from streams.web.problems import Problem, problems
from streams.web.security.masking import shown

RecordedBy = Annotated[
    datetime | None,
    Query(description="What was recorded at this time or before, with an offset from UTC"),
]
OccurredBy = Annotated[
    date | None, Query(description="What has this business date or an earlier one")
]

UNREMADE = problems(
    {
        409: "The journal does not have what it was decided by",
        410: "What it was decided by has been forgotten since",
    }
)


def add_past(
    app: FastAPI,
    journal: Journal,
    policies: InForce,
    rules_then: RulesThen,
    today: Callable[[], date],
) -> None:
    """Add the questions about the past.

    They read the journal, not the read models, under the policy in force on the day.
    """

    @app.get(
        "/v1/customers/{customer}/explain",
        summary="Why this tier on that date: policy, months, events",
    )
    async def why(
        customer: CustomerId,
        request: Request,
        on: Annotated[
            date | None, Query(description="A business date; today if none is given")
        ] = None,
        scheme: Annotated[
            str | None, Query(description="The scheme; if none is named, the one that counts")
        ] = None,
    ) -> Response:
        day = on or today()
        try:
            found = await asyncio.to_thread(
                lambda: explain(journal, rules_then(day, None), f"customer:{customer}", day, scheme)
            )
        except NoScheme as why_not:
            raise Problem(404, str(why_not)) from why_not
        if found is None:
            await refuse_restricted(journal, customer)
            raise Problem(404, f"nothing was recorded of customer {customer} by then")
        await also_of(request, journal, customer, found.numbers)
        return as_json(shown(request, policies.privacy, found.as_json()))

    @app.get(
        "/v1/versions",
        summary=(
            "What was decided of each projection's versions: which is live, who approved, and "
            "every switch"
        ),
    )
    async def versions() -> Response:
        return as_json(await asyncio.to_thread(decided, journal))

    @app.get("/v1/customers/{customer}/as-of", summary="The customer as known then, as true then")
    async def then(
        customer: CustomerId,
        request: Request,
        recorded: RecordedBy = None,
        occurred: OccurredBy = None,
    ) -> Response:
        rules = await asyncio.to_thread(rules_then, occurred, aware(recorded))
        found = await asyncio.to_thread(
            person_as_of, journal, rules, f"customer:{customer}", recorded, occurred
        )
        if found is None:
            await refuse_restricted(journal, customer)
            raise Problem(404, f"nothing was recorded of customer {customer} by then")
        await also_of(request, journal, customer, found.numbers)
        return as_json(
            {**asked_as(customer, found.numbers), **shown(request, policies.privacy, found.states)}
        )

    @app.get(
        "/v1/customers/{customer}/looks",
        summary="Who looked at what is known of a customer: when, as what, for what; newest first",
    )
    async def looks(
        customer: CustomerId,
        request: Request,
        before: Annotated[
            datetime | None, Query(description="`next` of the last page, with its offset from UTC")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        numbers = await asyncio.to_thread(all_numbers, journal, [f"customer:{customer}"])
        for number in numbers:
            await refuse_restricted(journal, number.removeprefix("customer:"))
        found = await asyncio.to_thread(
            latest_accesses, journal, numbers, aware(before, "before"), limit
        )
        if not found and not any(
            [await asyncio.to_thread(is_known, journal, number) for number in numbers]
        ):
            raise Problem(404, f"nothing is recorded of customer {customer}")
        request.state.look.also(numbers)
        following = found[-1].at if len(found) == limit else None
        return as_json({"customer": customer, "looks": [*map(as_told, found)], "next": following})


def add_households_past(app: FastAPI, journal: Journal, policies: InForce) -> None:
    """Add the questions about households and company groups as they were."""

    @app.get(
        "/v1/households/{household}/as-of",
        summary="The household as known then, as true then, summed from its members",
    )
    async def household(
        household: CustomerId,
        request: Request,
        recorded: RecordedBy = None,
        occurred: OccurredBy = None,
    ) -> Response:
        return await together(request, f"household:{household}", recorded, occurred)

    @app.get(
        "/v1/companies/{company}/as-of",
        summary="The company group as known then, as true then, summed from its members",
    )
    async def company(
        company: CustomerId,
        request: Request,
        recorded: RecordedBy = None,
        occurred: OccurredBy = None,
    ) -> Response:
        return await together(request, f"company:{company}", recorded, occurred)

    async def together(
        request: Request, whole: str, recorded: datetime | None, occurred: date | None
    ) -> Response:
        found = await asyncio.to_thread(together_as_of, journal, whole, aware(recorded), occurred)
        kind, _, name = whole.partition(":")
        if found is None:
            raise Problem(404, f"nothing was recorded of {kind} {name} by then")
        request.state.look.also(found.shares)
        return as_json({kind: name, **shown(request, policies.privacy, vars(found))})


def add_decisions(
    app: FastAPI, journal: Journal, policies: InForce, begun_with: TierPolicy
) -> None:
    """Add the question why something was offered; answered from the journal, by
    deciding once more.
    """

    @app.get(
        "/v1/decisions/{decision}/explanation",
        summary=(
            "A decision as recorded, and made once more from the journal: equal or not, byte for "
            "byte; and why each offer stands in its place"
        ),
        responses=UNREMADE,
    )
    async def explanation(
        decision: Annotated[str, Path(min_length=1, max_length=128)], request: Request
    ) -> Response:
        decisions, event = await asyncio.to_thread(looked_for, decision)
        if event is None:
            raise Problem(404, f"no decision {decision} is recorded")
        await request.state.look.at(event.stream)
        said = await asyncio.to_thread(remade, decisions, event)
        return as_json(shown(request, policies.privacy, said))

    def looked_for(decision: str) -> tuple[Decisions, Recorded | None]:
        decisions = Decisions(journal, begun_with)
        return decisions, decisions.find(decision)

    def remade(decisions: Decisions, event: Recorded) -> dict[str, Any]:
        try:
            found = decisions.explained(event)
        except Unknown as error:
            raise Problem(410 if isinstance(error, Forgotten) else 409, str(error)) from error
        return {**vars(found.remade), "because": found.because}


async def also_of(
    request: Request, journal: Journal, customer: str, numbers: Sequence[str]
) -> None:
    """The answer tells of these numbers too, as one person's: then or now.

    Raises a 403 where one of them, or of those that are the same person's now, is restricted, or
    was another customer's who is none of the caller's business.
    """
    now = await asyncio.to_thread(all_numbers, journal, [f"customer:{customer}"])
    for number in dict.fromkeys((*numbers, *now)):
        await refuse_restricted(journal, number.removeprefix("customer:"))
    await request.state.look.also_at(numbers)


def aware(moment: datetime | None, name: str = "recorded") -> datetime | None:
    """A moment that says its offset from UTC; a 422 where it does not."""
    if moment is not None and moment.tzinfo is None:
        raise Problem(422, f"{name}: a time with its offset from UTC, as 2026-03-02T10:15:00+08:00")
    return moment
