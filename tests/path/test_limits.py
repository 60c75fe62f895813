"""Whoever sends too much before they are let in, or nothing at all, is cut off."""

import gzip
import socket
import time

import pytest

from streams.web.limits import HEAD_LIMIT, HEAD_WITHIN
from tests.conftest import Running

QUICK = 2.0
"""Seconds in which health is told meanwhile."""


def connected(running: Running) -> socket.socket:
    """A connection to the lookups."""
    return socket.create_connection(
        (running.settings.host, running.settings.port), timeout=HEAD_WITHIN + 10
    )


def rest_of(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    found = b""
    try:
        while some := connection.recv(65_536):
            found += some
    except ConnectionError:
        pass
    return found


def test_headers_of_many_megabytes_are_refused(stack: Running) -> None:
    """With 431, after some kilobytes, while others are answered."""
    with connected(stack) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        try:
            for number in range(64):
                connection.sendall(b"x-%d: " % number + b"y" * HEAD_LIMIT + b"\r\n")
        except ConnectionError:
            pass
        begun = time.monotonic()
        alive = stack.client.get("/healthz").status_code
        seconds = time.monotonic() - begun

        assert rest_of(connection)[:12] in {b"HTTP/1.1 431", b""}
    assert (alive, seconds < QUICK) == (200, True)


@pytest.mark.parametrize("said", [b"", b"GET /healthz HTTP/1.1\r\nhost: x\r\nhalf-a-hea"])
def test_who_says_nothing_or_half_is_cut_off(stack: Running, said: bytes) -> None:
    """Within the time that a head may take."""
    with connected(stack) as connection:
        connection.sendall(said)
        begun = time.monotonic()
        answer = rest_of(connection)
        seconds = time.monotonic() - begun

    assert answer == b""
    assert HEAD_WITHIN - 1 < seconds < HEAD_WITHIN + 5


def test_a_large_body_behind_a_small_head_is_read(stack: Running) -> None:
    """The limit is of heads alone."""
    body = b"[" + b" " * (4 * HEAD_LIMIT) + b"]"
    answer = stack.client.post(
        "/v1/interactions",
        content=body,
        headers={"content-type": "application/cloudevents-batch+json"},
    )

    assert (answer.status_code, answer.json()) == (200, [])


def test_trailers_are_bounded_like_heads(stack: Running) -> None:
    """Behind a body in chunks, whoever sends it."""
    with connected(stack) as connection:
        connection.sendall(
            b"POST /v1/interactions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
        )
        line = b"x: " + b"y" * 1_000 + b"\r\n"
        sent = 0
        try:
            for _ in range(200_000):
                sent += connection.send(line)
        except ConnectionError:
            pass

    assert sent < 64 * 1024 * 1024


def test_a_head_that_is_a_little_too_large_is_told_so(stack: Running) -> None:
    """All of it was sent before the answer came."""
    with connected(stack) as connection:
        connection.sendall(
            b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: " + b"y" * HEAD_LIMIT + b"\r\n\r\n"
        )
        answer = rest_of(connection)

    assert answer.startswith(b"HTTP/1.1 431")


def test_a_head_in_two_segments_with_a_body_is_read(stack: Running) -> None:
    """Wherever the network parts them."""
    token = stack.client.headers["authorization"]
    body = b"[" + b" " * 60_000 + b"]"
    head = (
        b"POST /v1/interactions HTTP/1.1\r\nhost: x\r\n"
        b"content-type: application/cloudevents-batch+json\r\nconnection: close\r\n"
        + f"authorization: {token}\r\ncontent-length: {len(body)}\r\n\r".encode()
    )
    with connected(stack) as connection:
        connection.sendall(head)
        time.sleep(0.2)
        connection.sendall(b"\n" + body)
        answer = rest_of(connection)

    assert answer.startswith(b"HTTP/1.1 200")


def test_a_connection_that_asks_nothing_more_is_closed(stack: Running) -> None:
    """A few seconds after its answer."""
    with connected(stack) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        begun = time.monotonic()
        answer = rest_of(connection)
        seconds = time.monotonic() - begun

    assert answer.startswith(b"HTTP/1.1 200")
    assert seconds < HEAD_WITHIN + 5


def test_a_thousand_connections_keep_nobody_out(stack: Running) -> None:
    """Of those who say nothing, while others are answered."""
    held = [connected(stack) for _ in range(1_000)]
    try:
        begun = time.monotonic()
        alive = stack.client.get("/healthz").status_code
        seconds = time.monotonic() - begun
    finally:
        for each in held:
            each.close()

    assert (alive, seconds < QUICK) == (200, True)


def test_a_body_is_not_unpacked(stack: Running) -> None:
    """What is sent compressed is read as it is, and is no JSON: a little never becomes much."""
    bomb = gzip.compress(b"[" + b" " * 50_000_000 + b"]")
    kind = {"content-type": "application/cloudevents-batch+json", "content-encoding": "gzip"}
    answer = stack.client.post("/v1/interactions", content=bomb, headers=kind)

    assert answer.status_code in {415, 422}
