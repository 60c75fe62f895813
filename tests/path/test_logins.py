"""People log in at the bank's identity provider, and core systems have tokens of the bank's own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread

from deploy.keys import TOKENS, openid_of
from deploy.settings import Settings
from deploy.terminal import UserError
from domain.access.roles import Caller
from domain.customers.events import CustomerOnboarded
from streams.ingest.cloudevents import STRUCTURED, write
from streams.web.security.tokens import key_set, minted
from tests.conftest import Running, free_port, proposed, settings_in, wait_until

SEED = b"i" * 32
PEOPLE = [
    User(sub="wang.fang", claims={"groups": ["audit"]}),
    User(sub="zhao", claims={"groups": ["canteen"]}),
]
PAGE = "/customers/1/history"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack that makes no tokens itself, but those of its console."""
    folder = tmp_path_factory.mktemp("logins")
    keys, secret = folder / "keys.json", folder / "secret"
    keys.write_text(key_set([SEED]), encoding="utf-8")
    secret.write_text("s", encoding="utf-8")
    with run_server_in_thread(user_claims=PEOPLE) as provider:
        settings = settings_in(
            folder / "bank",
            console_port=free_port(),
            token_keys=str(keys),
            token_issuer="bank",
            openid_issuer=f"http://localhost:{provider.server_port}",
            openid_secret=secret,
            openid_roles={"audit": ["auditor"]},
        )
        with Running(settings) as made:
            wait_until(lambda: asked(made, "core", "/readyz") == 200)
            wait_until(lambda: _is_up(settings.console_address))
            yield made


def _is_up(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.HTTPError:
        return False


def asked(running: Running, who: str, path: str, seed: bytes = SEED, issuer: str = "bank") -> int:
    """How the lookups answer somebody with a token of that issuer."""
    token = minted(seed, issuer, "tierfold", Caller(who, ("auditor",)), 60)
    answer = httpx.get(
        f"{running.settings.address}{path}", headers={"authorization": f"Bearer {token}"}
    )
    return answer.status_code


def log_in(client: httpx.Client, who: str, back: str = "/") -> httpx.Response:
    """Go to the provider, press somebody's button there, and come back."""
    there = client.get("/login/openid", params={"back": back})
    assert there.status_code == 303
    answer = httpx.post(there.headers["location"], data={"sub": who})
    return client.get(answer.headers["location"])


def test_somebody_who_has_logged_out_is_led_to_the_providers_own_logout(running: Running) -> None:
    """By a link of the first page, with the way back; the provider takes it."""
    console = running.settings.console_address
    own = {"sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=console, headers=own) as client:
        log_in(client, "wang.fang")
        inside = client.get("/").text
        client.post("/logout")
        outside, there = client.get("/").text, client.get("/logout/openid")
    asked_for = dict(httpx.URL(there.headers["location"]).params)

    link = 'href="/logout/openid"'
    assert ("wang.fang" in inside, link in inside) == (True, False)
    assert ("wang.fang" in outside, link in outside) == (False, True)
    assert asked_for == {"client_id": "tierfold", "post_logout_redirect_uri": f"{console}/"}
    assert httpx.get(there.headers["location"]).status_code == 200


def test_somebody_logs_in_there_and_goes_where_they_wanted_to(running: Running) -> None:
    """From the page that asked for a login; what they see is looked at in their name."""
    token = minted(SEED, "bank", "tierfold", Caller("core", ("core",)), 60)
    event = write(proposed(CustomerOnboarded(source="branch")))
    sent = httpx.post(
        f"{running.settings.address}/v1/interactions",
        content=event,
        headers={"authorization": f"Bearer {token}", "content-type": STRUCTURED},
    )
    running.settle()
    with httpx.Client(base_url=running.settings.console_address) as client:
        first = client.get(PAGE)
        back = log_in(client, "wang.fang", PAGE)
        page = client.get(back.headers["location"])
    running.settle()

    assert (sent.status_code, first.status_code) == (201, 401)
    assert 'href="/login/openid?back=%2Fcustomers%2F1%2Fhistory"' in first.text
    assert (back.status_code, back.headers["location"]) == (303, PAGE)
    assert (page.status_code, "wang.fang" in page.text) == (200, True)
    assert [look["who"] for look in running.report("audit", "access", "1")["looks"]] == [
        "wang.fang"
    ]


def test_readers_who_log_in_come_privately_or_not_at_all(tmp_path: Path) -> None:
    """A console that others could listen to is refused, by the name of its variable."""
    secret = tmp_path / "secret"
    secret.write_text("s", encoding="utf-8")

    def console(url: str) -> Settings:
        return Settings(
            data_dir=tmp_path,
            openid_issuer="https://id.bank.example",
            openid_secret=secret,
            openid_roles={"audit": ("auditor",)},
            console_url=url,
        )

    with pytest.raises(UserError, match="TIERFOLD_CONSOLE_URL"):
        openid_of(console("http://console.example"))
    assert openid_of(console("https://console.example")) is not None
    assert console("https://console.example").console_is_private


def test_who_has_no_role_here_stays_outside(running: Running) -> None:
    """And whoever comes back without having gone; neither leads to another site."""
    with httpx.Client(base_url=running.settings.console_address) as client:
        refused = log_in(client, "zhao")
        without = client.get("/login/callback?code=c&state=s")
        elsewhere = log_in(client, "wang.fang", "//evil.example")

    assert (refused.status_code, without.status_code) == (403, 403)
    assert "none of their groups has a role here" in refused.text
    assert elsewhere.headers["location"] == "/"


def test_each_issuer_is_believed_by_its_own_key_alone(running: Running) -> None:
    """The bank's, and the console's; a token under another's name, or of a key of ours that makes
    none here, lets nobody in.
    """
    folder = running.settings.keys_dir
    console = bytes.fromhex((folder / "console").read_text())

    assert asked(running, "a", "/v1/versions") == 200
    assert asked(running, "a", "/v1/versions", console, "tierfold/console") == 200
    assert asked(running, "a", "/v1/versions", console) == 401
    assert asked(running, "a", "/v1/versions", SEED, "tierfold/console") == 401
    assert asked(running, "a", "/v1/versions", b"x" * 32) == 401
    assert not (folder / TOKENS).exists()
