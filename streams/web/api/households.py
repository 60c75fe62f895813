"""Which questions about households and company groups are answered?

Who belongs to it, and what its months came to.
"""

from fastapi import FastAPI, Request, Response

from streams.web.api.customers import CustomerId
from streams.web.dependencies import WebDependencies, as_json
from streams.web.problems import Problem
from streams.web.security.masking import shown


def add_households(app: FastAPI, deps: WebDependencies) -> None:
    """Add the questions about households and company groups."""

    async def answer(request: Request, kind: str, name: str) -> Response:
        whole = await deps.lookups.whole(f"{kind}:{name}")
        if whole is None:
            raise Problem(404, f"nothing is recorded of {kind} {name}")
        request.state.look.also(whole.members)
        return as_json(
            {
                kind: name,
                **shown(request, deps.privacy, {"members": whole.members, "months": whole.months}),
            }
        )

    @app.get(
        "/v1/households/{household}",
        summary=(
            "Who belongs to a household, since when and with which share, and what each month "
            "came to"
        ),
    )
    async def household(household: CustomerId, request: Request) -> Response:
        return await answer(request, "household", household)

    @app.get(
        "/v1/companies/{company}",
        summary=(
            "Who belongs to a company group, since when and with which share, and what each month "
            "came to"
        ),
    )
    async def company(company: CustomerId, request: Request) -> Response:
        return await answer(request, "company", company)
