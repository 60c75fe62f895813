"""How does the console know anything? It asks the API, as its reader.

So nothing is shown that the API would not answer, and every look is written down there.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import msgspec

from domain.access.roles import Caller

PATIENCE = 30.0
GOOD_FOR = 300.0
"""Seconds for which a reader's token is used."""
AWAY = {
    "title": "Service Unavailable",
    "detail": "the API does not answer; try again",
}


class Answer(NamedTuple):
    """What the API said, and the bytes in which it said it."""

    status: int
    said: Any
    raw: bytes


class Api:
    """Asks at an address with tokens that `token_for` makes, good for so many hours."""

    def __init__(self, address: str, token_for: Callable[[Caller, float], str]) -> None:
        self._client = httpx.AsyncClient(
            base_url=address,
            timeout=PATIENCE,
            trust_env=False,  # trap: a proxy of the environment would read every token and answer
        )
        self._token_for = token_for
        self._tokens: dict[Caller, tuple[str, float]] = {}

    async def ask(
        self, caller: Caller, path: str, query: str = "", method: str = "GET", body: Any = None
    ) -> Answer:
        """The answer to a question, or to what is handed in; a 503 where there is none."""
        url = httpx.URL(path, query=query.encode() or None)
        try:
            head = self._head(caller)
            answer = await self._client.request(method, url, headers=head, json=body)
            return Answer(answer.status_code, msgspec.json.decode(answer.content), answer.content)
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError):
            return Answer(503, {**AWAY, "status": 503}, msgspec.json.encode(AWAY))

    async def take(self, caller: Caller, path: str) -> httpx.Response | None:
        """A file, with the headers that say what it is; None where nobody answers."""
        try:
            return await self._client.get(path, headers=self._head(caller))
        except httpx.HTTPError:
            return None

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    def _head(self, caller: Caller) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token(caller)}"}

    def _token(self, caller: Caller) -> str:
        token, until = self._tokens.get(caller, ("", 0.0))
        if until < time.monotonic():
            token = self._token_for(caller, 2 * GOOD_FOR / 3600)
            self._tokens = {
                each: kept for each, kept in self._tokens.items() if kept[1] > time.monotonic()
            }
            self._tokens[caller] = token, time.monotonic() + GOOD_FOR
        return token
