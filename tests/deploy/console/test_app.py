"""The console holds where what it asks does not, and against whoever is not at home."""

import json
import os
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from deploy.console.api import Api
from deploy.console.app import console
from deploy.console.frame import ConsoleDependencies
from deploy.console.links import make_link
from domain.access.roles import Caller
from streams.web.security.sessions import Sessions

LI = Caller("li", ("supervisor", "auditor"))


class Said(ThreadingHTTPServer):
    """What answers every question with the same, and keeps what was asked."""

    def __init__(self, said: Any) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.said = json.dumps(said).encode()
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Said

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("content-length", str(len(self.server.said)))
        self.end_headers()
        self.wfile.write(self.server.said)

    def log_message(self, *_: Any) -> None:
        """Nothing to say."""


@asynccontextmanager
async def sitting(
    folder: Path, said: Any, address: str = "127.0.0.1", *, secure: bool = False
) -> AsyncIterator[tuple[httpx.AsyncClient, Said]]:
    """A browser at some address, and what the console asks."""
    api = Said(said)
    threading.Thread(target=api.serve_forever, daemon=True).start()
    app = console(
        ConsoleDependencies(
            api=Api(f"http://127.0.0.1:{api.server_port}", lambda caller, _hours: caller.who),
            sessions=Sessions(os.urandom(32), "tierfold", folder / "ended"),
            links=folder / "links",
            zone=ZoneInfo("Asia/Shanghai"),
            cookie="tierfold-test",
            address="https://bank",
            secure=secure,
        )
    )
    transport = httpx.ASGITransport(app, client=(address, 1))
    headers = {"sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient(
        transport=transport, base_url="https://bank", headers=headers
    ) as client:
        yield client, api
    api.shutdown()
    api.server_close()


async def log_in(client: httpx.AsyncClient, folder: Path) -> httpx.Response:
    """Press the button of a link."""
    code = make_link(folder / "links", "", LI).partition("code=")[2]
    return await client.post("/login", content=f"code={code}")


async def test_a_link_opens_on_the_consoles_own_machine_alone_and_is_not_spent_elsewhere(
    tmp_path: Path,
) -> None:
    """Whoever tries it from another address is told so."""
    link = make_link(tmp_path / "links", "", LI)
    body = f"code={link.partition('code=')[2]}"
    async with sitting(tmp_path, {}, "10.0.0.7") as (away, _):
        refused = await away.post("/login", content=body)
    async with sitting(tmp_path, {}) as (home, _):
        opened = await home.post("/login", content=body)

    assert (refused.status_code, opened.status_code) == (403, 303)
    assert "own machine" in refused.text


@pytest.mark.parametrize("path", ["/customers/1", "/versions", "/decisions/d/explanation"])
async def test_a_page_that_breaks_says_so_and_forbids_what_others_do(
    tmp_path: Path, path: str
) -> None:
    """An answer of another shape is a 500 with the headers of every page."""
    async with sitting(tmp_path, {"nothing": "known"}) as (client, _):
        await log_in(client, tmp_path)
        answer = await client.get(path)

    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


async def test_a_cookie_is_for_tls_alone_where_readers_come_by_it(tmp_path: Path) -> None:
    """And for no script in any case."""
    async with sitting(tmp_path, {}, secure=True) as (client, _):
        over_tls = (await log_in(client, tmp_path)).headers["set-cookie"]
    async with sitting(tmp_path, {}) as (client, _):
        plain = (await log_in(client, tmp_path)).headers["set-cookie"]

    assert ("Secure" in over_tls, "Secure" in plain) == (True, False)
    assert re.search("HttpOnly.*SameSite=lax", plain)


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/restatements?a=&b=1", "/v1/restatements?b=1"),
        ("/customers/100%232/tier", "/v1/customers/100%232/tier"),
        ("/customers/a%3Fb%0A/tier", "/v1/customers/a%3Fb%0A/tier"),
        (
            "/customers/1/as-of?recorded=2026-02-01T10:00",
            "/v1/customers/1/as-of?recorded=2026-02-01T10%3A00%3A00%2B08%3A00",
        ),
        ("/customers/1/as-of?recorded=never", "/v1/customers/1/as-of?recorded=never"),
    ],
)
async def test_what_is_asked_is_what_stands_in_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, asked: str
) -> None:
    """Whatever signs a number has; without empty fields; a moment in the bank's zone; and of the
    API itself, whatever proxy the environment names.
    """
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with sitting(tmp_path, {}) as (client, api):
        await log_in(client, tmp_path)
        await client.get(path)

    assert api.asked == [asked]


async def test_json_is_given_of_pages_alone_and_to_no_other_site(tmp_path: Path) -> None:
    """A question that decides something is none of them; nor are dots a way out."""
    async with sitting(tmp_path, {}) as (client, api):
        await log_in(client, tmp_path)
        statuses = [
            (await client.get(path, headers=headers)).status_code
            for path, headers in (
                ("/v1/versions", {}),
                ("/v1/versions", {"sec-fetch-site": "cross-site"}),
                ("/v1/customers/1/next-best-offer", {}),
                ("/v1/%2e%2e/metrics", {}),
                ("/v1/openapi.json", {}),
            )
        ]

    assert statuses == [200, 403, 404, 404, 404]
    assert api.asked == ["/v1/versions"]


async def test_the_console_says_that_it_answers_to_whoever_asks(tmp_path: Path) -> None:
    """Without a session, and nothing else."""
    async with sitting(tmp_path, {}) as (client, _):
        answer = await client.get("/healthz")

    assert (answer.status_code, answer.text) == (200, "alive")
