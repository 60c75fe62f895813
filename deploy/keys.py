"""Whose secrets are there? Signing keys and the master key, each in a file that only its owner may read; made at its first use."""

import os
import secrets
from pathlib import Path

from deploy.console import Mendable
from deploy.settings import Settings
from replay.notes import Public, Signer
from streams.keyring import EnvironmentMaster, FileMaster, Master, TransitMaster

NOTARY, BUNDLES, WITNESS = "notary", "bundles", "witness"


def signer_of(settings: Settings, role: str) -> Signer:
    """The signer of a role; raises `Mendable` for a key that cannot be read."""
    file = settings.keys_dir / role
    if not file.exists():
        _make(settings, role, file)
    try:
        return Signer.read(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Mendable(f"the key in {file} cannot be used: {error}") from error


def public_keys(settings: Settings, file: Path | None = None) -> list[Public]:
    """The keys in a file, one a line; those that stand beside the bank's own, and its witness's, if none is named."""
    if file is None:
        lines = [each.read_text(encoding="utf-8") for each in sorted(settings.keys_dir.glob("*.pub"))]
        lines += [settings.witness_key] if settings.witness_key else []
    else:
        lines = file.read_text(encoding="utf-8").splitlines()
    try:
        return [Public.read(line) for line in lines if line.strip() and not line.startswith("#")]
    except ValueError as error:
        raise Mendable(f"{file or settings.keys_dir}: {error}") from error


def master_of(settings: Settings) -> Master:
    """What wraps the customers' keys; raises `OSError` and `ValueError` where it cannot be had."""
    if settings.master is None:
        file = settings.keys_dir / "master"
        if not file.exists():
            _put(file, secrets.token_hex(32))
        return FileMaster(str(file))
    if settings.master.startswith("env:"):
        return EnvironmentMaster(settings.master.removeprefix("env:"))
    if settings.master.startswith(("http://", "https://")):
        return TransitMaster(settings.master, "TIERFOLD_MASTER_TOKEN")
    return FileMaster(settings.master)


def _make(settings: Settings, role: str, file: Path) -> None:
    """A new key; whoever is second to make it takes the first one's."""
    name = {NOTARY: settings.origin, BUNDLES: f"{settings.origin}/bundles"}.get(role, f"{settings.origin}/{role}")
    signer = Signer(name, secrets.token_bytes(32), cosigns=role == WITNESS)
    if _put(file, signer.secret()):
        file.with_suffix(".pub").write_text(f"{signer.public}\n", encoding="utf-8")


def _put(file: Path, secret: str) -> bool:
    """Put a secret where only its owner may read it, whole or not at all; False if there is one already."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f".{file.name}-{secrets.token_hex(8)}")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as opened:
        opened.write(f"{secret}\n")
    try:
        os.link(new, file)
    except FileExistsError:
        return False
    finally:
        new.unlink()
    return True
