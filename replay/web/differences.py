"""Which question tells what is otherwise at one moment than at another?"""

import asyncio

from fastapi import FastAPI, Request, Response

from projections.views.customer import asked_as
from replay.history.as_of import Moment
from replay.history.difference import RulesThen, apart, changed_places, currencies
from replay.web.history import OccurredBy, RecordedBy, also_of, aware
from streams.journal import Journal
from streams.policies.in_force import InForce
from streams.web.api.customers import CustomerId, refuse_restricted
from streams.web.dependencies import as_json
from streams.web.problems import Problem
from streams.web.security.masking import shown

MOST = 1_000
"""Changes, and events, that one answer tells."""


def add_differences(
    app: FastAPI, journal: Journal, policies: InForce, rules_then: RulesThen
) -> None:
    """Add the question about two moments of a customer; answered from the journal."""

    @app.get(
        "/v1/customers/{customer}/differences",
        summary="What is otherwise at a moment than at another, and the events between",
    )
    async def differences(
        customer: CustomerId,
        request: Request,
        before_recorded: RecordedBy = None,
        before_occurred: OccurredBy = None,
        recorded: RecordedBy = None,
        occurred: OccurredBy = None,
    ) -> Response:
        first = Moment(aware(before_recorded, "before_recorded"), before_occurred)
        second = Moment(aware(recorded), occurred)
        found = await asyncio.to_thread(
            apart, journal, rules_then, f"customer:{customer}", first, second
        )
        if found is None:
            await refuse_restricted(journal, customer)
            raise Problem(404, f"nothing was recorded of customer {customer} by then")
        await also_of(request, journal, customer, found.numbers)
        seen = [shown(request, policies.privacy, each) for each in (found.before, found.after)]
        told = changed_places(*seen)
        return as_json(
            {
                **asked_as(customer, found.numbers),
                "changes": told[:MOST],
                "currencies": currencies(*seen),
                "masked": not request.state.look.unmasked,
                "events": found.events[:MOST],
                "left_out": max(len(told) - MOST, 0) + max(len(found.events) - MOST, 0),
            }
        )
