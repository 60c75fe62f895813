"""How does an answer say that something is wrong? As RFC 9457 problem details."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

PROBLEM = "application/problem+json"
AGAIN = "1"
"""Seconds after which to ask again what could not be answered just now."""
DETAILS = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "detail")},
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
STATUSES = {
    400: "Something is missing from the request",
    401: "No token, or one that lets nobody in",
    403: "Not for this caller",
    404: "Nothing is recorded of it",
    413: "The body is too large",
    422: "The request is not valid, field by field",
    429: "Too often",
    503: "Not just now; try again",
}
"""What any question may be answered with, beside its own."""


def problems(said: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Problems by their status, as OpenAPI has them."""
    return {
        status: {"description": words, "content": {PROBLEM: {"schema": DETAILS}}}
        for status, words in said.items()
    }


class Problem(Exception):
    """Something is wrong with a request: a status, a sentence, and where."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[dict[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


def answer(
    status: int,
    detail: str,
    errors: Sequence[dict[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem as a response; one that passes says after how many seconds to ask again."""
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        content["errors"] = list(errors)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"retry-after": AGAIN, **(headers or {})}
    return JSONResponse(content, status, headers, PROBLEM)


def add_problems(app: FastAPI) -> None:
    """Let every error of an app leave as a problem."""

    @app.exception_handler(Problem)
    async def ours(_request: Request, problem: Problem) -> JSONResponse:
        return answer(problem.status, problem.detail, problem.errors, problem.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {"field": ".".join(map(str, each["loc"])), "detail": each["msg"]}
            for each in error.errors()
        ]
        return answer(422, "the request is not valid", errors)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail), headers=error.headers)
