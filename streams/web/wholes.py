"""Which questions about households and company groups are answered? Who belongs to it, and what its months came to."""

from fastapi import FastAPI, Response

from streams.web.customers import CustomerId
from streams.web.doors import Doors, as_json
from streams.web.problems import Problem


def add_wholes(app: FastAPI, doors: Doors) -> None:
    """Add the questions about households and company groups."""

    async def answer(kind: str, name: str) -> Response:
        whole = await doors.lookups.whole(f"{kind}:{name}")
        if whole is None:
            raise Problem(404, f"nothing is recorded of {kind} {name}")
        return as_json({kind: name, "members": whole.members, "months": whole.months})

    @app.get("/v1/households/{household}", summary="Who belongs to a household, since when and with which share, and what each month came to")
    async def household(household: CustomerId) -> Response:
        return await answer("household", household)

    @app.get("/v1/companies/{company}", summary="Who belongs to a company group, since when and with which share, and what each month came to")
    async def company(company: CustomerId) -> Response:
        return await answer("company", company)
