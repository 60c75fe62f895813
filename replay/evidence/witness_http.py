"""How is a witness asked over HTTP?

As c2sp.org/tlog-witness says: `POST /add-checkpoint`, from both sides.
"""

import urllib.error
import urllib.request
from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from replay.evidence.signed_note import ProofError, Public
from replay.evidence.witness import Behind, Witness, asked, read_question

PATH = "/add-checkpoint"
QUESTION_LIMIT = 64 * 1024
PATIENCE = 5.0
SIZE = "text/x.tlog.size"


class RemoteWitness:
    """A witness elsewhere, whose key is known."""

    def __init__(self, url: str, public: Public) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"a witness is at http://… or https://…, not {url}")
        self._url = url.rstrip("/") + PATH
        self.public = public

    def cosign(self, old: int, proof: Sequence[bytes], note: str) -> str:
        """The signature line of a checkpoint.

        Raises `Behind`, `ProofError` where the witness refuses, and `OSError` where it cannot be
        asked.
        """
        question = urllib.request.Request(  # noqa: S310 - http only, see above
            self._url, asked(old, proof, note).encode(), {"content-type": "text/plain"}
        )
        try:
            with urllib.request.urlopen(question, timeout=PATIENCE) as answer:  # noqa: S310
                return str(answer.read(QUESTION_LIMIT).decode())
        except urllib.error.HTTPError as error:
            said = error.read(QUESTION_LIMIT).decode("utf-8", "replace")
            if error.code == 409 and error.headers.get_content_type() == SIZE:
                raise Behind(int(said)) from error
            raise ProofError(f"the witness refuses ({error.code}): {said}") from error


def witness_app(witness: Witness) -> FastAPI:
    """The app of a witness."""
    app = FastAPI(title="tierfold witness", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post(PATH)
    async def add_checkpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > QUESTION_LIMIT:
                return Response("a question to a witness is shorter", 413, media_type="text/plain")
        try:
            old, proof, note = read_question(body.decode())
            return Response(
                await run_in_threadpool(witness.cosign, old, proof, note), media_type="text/plain"
            )
        except Behind as behind:
            return Response(f"{behind.size}\n", 409, media_type=SIZE)
        except (ProofError, UnicodeDecodeError) as doubt:
            return Response(f"{doubt}\n", 422, media_type="text/plain")

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "alive"}

    return app
