"""Whose secrets are there?

Signing keys and the master key, each in a file that only its owner may read; made at its first use.
"""

import fcntl
import os
import secrets
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from deploy.settings import PRIVATE, Settings
from deploy.terminal import UserError
from domain.access.roles import Caller
from replay.evidence.signed_note import Public, Signer
from streams.ingest.signature import Vouching
from streams.keyring import EnvironmentMaster, FileMaster, Keyring, Master, TransitMaster
from streams.web.security.openid import OpenId, Provider
from streams.web.security.tokens import Issuers, Tokens, key_set, minted

NOTARY, BUNDLES, WITNESS, TOKENS = "notary", "bundles", "witness", "tokens"
SESSIONS = "sessions"
CONSOLE_TOKENS = "console"
CONSOLE = "tierfold/console"
"""As which issuer the console makes tokens, where another one makes those of all others."""
PATIENCE = 5.0
LARGEST = 1 << 20
HEARD = 2.0
"""Seconds after which every process has heard that there is another master key."""


def signer_of(settings: Settings, role: str) -> Signer:
    """The signer of a role; raises `UserError` for a key that cannot be read."""
    file = settings.keys_dir / role
    if not file.exists():
        _make(settings, role, file)
    try:
        return Signer.read(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"the key in {file} cannot be used: {error}") from error


def public_keys(settings: Settings, file: Path | None = None) -> list[Public]:
    """The keys in a file, one a line.

    Those that stand beside the bank's own, and its witness's, if none is named.
    """
    if file is None:
        lines = [
            each.read_text(encoding="utf-8") for each in sorted(settings.keys_dir.glob("*.pub"))
        ]
        lines += [settings.witness_key] if settings.witness_key else []
    else:
        lines = file.read_text(encoding="utf-8").splitlines()
    try:
        return [Public.read(line) for line in lines if line.strip() and not line.startswith("#")]
    except ValueError as error:
        raise UserError(f"{file or settings.keys_dir}: {error}") from error


def master_of(settings: Settings) -> Master:
    """What wraps the customers' keys; raises `OSError` and `ValueError` where it cannot be had."""
    if settings.master is None:
        file, before = settings.master_file, settings.keys_dir / "master"
        if not file.exists() and before.exists():
            raise ValueError(f"it lies in {before}: move it to {file}")
        if not file.exists():
            _put(file, secrets.token_hex(32))
        return FileMaster(str(file))
    if settings.master.startswith("env:"):
        return EnvironmentMaster(settings.master.removeprefix("env:"))
    if settings.master.startswith(("http://", "https://")):
        return TransitMaster(settings.master, "TIERFOLD_MASTER_TOKEN")
    return FileMaster(settings.master)


def with_another_master(settings: Settings, keyring: Keyring) -> str:
    """Let a new master key follow on the one in the file.

    Old backups of the keys are then worth nothing. Says what was done, or NOT.
    """
    file = settings.master_file if settings.master is None else Path(settings.master)
    if settings.master is not None and settings.master.startswith("env:"):
        return (
            f"NOT rotated: {settings.master} is not a file; see SECURITY.md for how its key is "
            "followed by another"
        )
    if not file.is_file():
        return (
            f"NOT rotated: rotate the key at {settings.master}, and wrap there what it wrapped "
            "before"
        )
    with alone(file.with_name(f".{file.name}.lock")):
        before = file.read_text(encoding="ascii")
        new = secrets.token_hex(32)
        _replace(file, f"{new}\n{before}")
        keyring.notify()
        time.sleep(HEARD)
        count = keyring.rewrap()
        _replace(file, f"{new}\n")
        keyring.notify()
    return (
        f"cannot be opened any more: {count:,} keys are wrapped by a new master key, and the one "
        "before is gone"
    )


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Nobody else does on this machine what has this lock; raises `UserError` where somebody does.

    Trap: of two rotations at once each would destroy the master by which the other has wrapped
    everything.
    """
    with lock.open("w") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                f"another command does the like just now ({lock}): try again when it is done"
            ) from error
        yield


def _replace(file: Path, secret: str) -> None:
    """Put a secret in the place of another, whole or not at all, for whoever could
    read that one.
    """
    new, was = file.with_name(f".{file.name}-{secrets.token_hex(8)}"), file.stat()
    with os.fdopen(
        os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8"
    ) as opened:
        opened.write(secret)
        os.fchown(opened.fileno(), was.st_uid, was.st_gid)
        os.fchmod(opened.fileno(), was.st_mode & 0o777)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)


def tokens_of(settings: Settings) -> Tokens | Issuers:
    """What reads the tokens of callers, by the keys of their issuer; and where that is not
    ourselves, those of the console too, if there is one.
    """
    if settings.token_keys is None:
        return _own_tokens(settings, TOKENS, settings.token_issuer)
    first = _tokens_of(settings, settings.token_keys)
    if not settings.console_may_ask:
        return first
    if not settings.embedded and not (file := settings.keys_dir / CONSOLE_TOKENS).exists():
        raise UserError(f"put the console's key there, by which it makes tokens: {file}")
    return Issuers(first, {CONSOLE: _own_tokens(settings, CONSOLE_TOKENS, CONSOLE)})


def _own_tokens(settings: Settings, key: str, issuer: str) -> Tokens:
    seed = _secret(settings.keys_dir / key)
    return Tokens(lambda: key_set([seed]), issuer, settings.token_audience)


def _tokens_of(settings: Settings, where: str) -> Tokens:
    if "://" in where and not where.startswith("https://"):
        raise UserError(
            f"TIERFOLD_TOKEN_KEYS is a file or https://…, not {where.partition('://')[0]}://"
        )
    if where.startswith("https://"):
        return Tokens(partial(_fetched, where), settings.token_issuer, settings.token_audience)
    return Tokens(Path(where).read_bytes, settings.token_issuer, settings.token_audience)


def token_for(settings: Settings, caller: Caller, hours: float) -> str:
    """A token for somebody, signed with a key of our own.

    Raises `UserError` where another issuer's are asked for.
    """
    if settings.token_keys is not None:
        raise UserError(
            f"tokens come from {settings.token_issuer} (TIERFOLD_TOKEN_KEYS is set): ask there"
        )
    return minted(
        _token_seed(settings),
        settings.token_issuer,
        settings.token_audience,
        caller,
        round(hours * 3600),
    )


def console_token(settings: Settings, caller: Caller, hours: float) -> str:
    """A token by which the console asks for somebody who has logged in there."""
    if settings.token_keys is None:
        return token_for(settings, caller, hours)
    seed = _secret(settings.keys_dir / CONSOLE_TOKENS)
    return minted(seed, CONSOLE, settings.token_audience, caller, round(hours * 3600))


def openid_of(settings: Settings) -> OpenId | None:
    """What logs people in at the bank's identity provider, if it has one.

    Raises `UserError` for a secret that cannot be read, and where somebody could listen.
    """
    if settings.openid_issuer is None:
        return None
    if settings.openid_secret is None or not settings.openid_roles:
        raise UserError(
            "nobody could log in: TIERFOLD_OPENID_ROLES says what groups may be, as "
            '{"managers": ["manager"]}, and TIERFOLD_OPENID_SECRET where the secret is'
        )
    if not PRIVATE.match(settings.console_address):
        raise UserError("people log in over https:// alone: TIERFOLD_CONSOLE_URL")
    try:
        secret = settings.openid_secret.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UserError(
            f"the secret in {settings.openid_secret} cannot be used: {error}"
        ) from error
    provider = Provider(
        settings.openid_issuer,
        settings.openid_client,
        secret,
        settings.openid_roles,
        settings.openid_name,
        settings.openid_groups,
    )
    callback = f"{settings.console_address}/login/callback"
    return OpenId(provider, callback, session_seed(settings))


def session_seed(settings: Settings) -> bytes:
    """By what the console signs its sessions; raises `UserError` for a key that cannot be read."""
    return _secret(settings.keys_dir / SESSIONS)


def vouching_of(settings: Settings) -> Vouching:
    """By what the bank's own processes know each other at the front door."""
    return Vouching(_secret(settings.door or settings.data_dir / "door" / "key"))


def _token_seed(settings: Settings) -> bytes:
    return _secret(settings.keys_dir / TOKENS)


def _secret(file: Path) -> bytes:
    """Thirty-two bytes in a file, made at their first use; raises `UserError`."""
    if not file.exists():
        _put(file, secrets.token_hex(32))
    try:
        return bytes.fromhex(file.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise UserError(f"the key in {file} cannot be used: {error}") from error


def _fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - https, see above
        found: bytes = answer.read(LARGEST)
    return found


def _make(settings: Settings, role: str, file: Path) -> None:
    """A new key; whoever is second to make it takes the first one's."""
    name = {NOTARY: settings.origin, BUNDLES: f"{settings.origin}/bundles"}.get(
        role, f"{settings.origin}/{role}"
    )
    signer = Signer(name, secrets.token_bytes(32), cosigns=role == WITNESS)
    if _put(file, signer.secret()):
        file.with_suffix(".pub").write_text(f"{signer.public}\n", encoding="utf-8")


def _put(file: Path, secret: str) -> bool:
    """Put a secret where only its owner may read it, whole or not at all.

    False if there is one already.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    with os.fdopen(
        os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8"
    ) as opened:
        opened.write(f"{secret}\n")
    try:
        os.link(new, file)
    except FileExistsError:
        return False
    finally:
        new.unlink()
    return True
