"""How does an answer say that something is wrong? As RFC 9457 problem details."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

PROBLEM = "application/problem+json"


class Problem(Exception):
    """Something is wrong with a request: a status, a sentence, and where."""

    def __init__(self, status: int, detail: str, errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors


def answer(status: int, detail: str, errors: Sequence[dict[str, Any]] = ()) -> JSONResponse:
    """A problem as a response."""
    content: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    if errors:
        content["errors"] = list(errors)
    return JSONResponse(content, status, media_type=PROBLEM)


def add_problems(app: FastAPI) -> None:
    """Let every error of an app leave as a problem."""

    @app.exception_handler(Problem)
    async def ours(_request: Request, problem: Problem) -> JSONResponse:
        return answer(problem.status, problem.detail, problem.errors)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [{"field": ".".join(map(str, each["loc"])), "detail": each["msg"]} for each in error.errors()]
        return answer(422, "the request is not valid", errors)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail))
