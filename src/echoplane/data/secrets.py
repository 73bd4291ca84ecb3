"""The secret that patients are hashed with: a store's own, or one that several stores share."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

from echoplane.errors import StoreError, UsageError
from echoplane.store import StoreReader

#: Secret with which patient identifiers are hashed; stays beside the store and is not part of it.
KEY_FILE = ".patient-key"
#: Bytes of a secret that count, and the fewest it may have: a short one is found by trying.
MOST, LEAST = 64, 16
#: What it makes of one; patients that a layout names itself look otherwise.
_HASH = re.compile(r"[0-9a-f]{16}")


def read_secret(file: str | Path) -> bytes:
    """Read a secret that a user gives.

    Raises
    ------
    UsageError
        When it is shorter than 16 bytes.
    """
    return checked(Path(file).read_bytes()[:MOST], str(file))


def checked(secret: bytes, name: str) -> bytes:
    """Return a secret that is long enough; see :func:`read_secret`."""
    if len(secret) < LEAST:
        raise UsageError(
            f"{name}: holds {len(secret)} bytes; a secret needs {LEAST} at least, for example those that "
            'python -c "import secrets; print(secrets.token_hex(32))" prints.'
        )
    return secret


def fitting(store: StoreReader, secret: bytes) -> bytes:
    """Return the secret if it is the one that a store's patients were hashed with, or none were.

    Raises
    ------
    StoreError
        When it is another: one patient would count as two.
    """
    if store.info.secret not in ("", fingerprint(secret)):
        raise StoreError(
            f"{store.path}: its patients were hashed with another secret, so that whoever comes again would count as "
            "two persons. Give the same --patient-key as then (or none, if none was given), or use a new folder."
        )
    return secret


def own_secret(store: StoreReader) -> bytes:
    """Return the secret that lies beside a store; made now, where the store has hashed no patient yet.

    Raises
    ------
    StoreError
        When patients were hashed already and the secret is not there any more, or damaged.
    """
    file = Path(store.path) / KEY_FILE
    if not file.exists():
        if store.info.secret or any(_HASH.fullmatch(row.group) for row in store.rows):
            raise StoreError(
                f"{store.path}: its patients were hashed with a secret that is not here ({KEY_FILE} was deleted, or "
                "another one given). Give it as --patient-key FILE, or use a new folder: training takes several stores."
            )
        _make_secret(file)
    secret = file.read_bytes()
    if len(secret) < LEAST:
        raise StoreError(f"{file}: is damaged: a secret of {len(secret)} bytes. Put the right one back.")
    return fitting(store, secret)


def _make_secret(file: Path) -> None:
    """Write a new secret whole, unless another run was faster: then its secret is the store's."""
    fresh = file.with_name(f"{KEY_FILE}-{secrets.token_hex(8)}")
    try:
        fresh.write_bytes(secrets.token_bytes(32))
        with contextlib.suppress(OSError):  # a disk without rights
            fresh.chmod(0o600)
        try:
            os.link(fresh, file)
        except FileExistsError:
            return
        except OSError:  # a disk without links
            if not file.exists():
                fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def fingerprint(secret: bytes) -> str:
    """Return what tells one secret from another and gives none away: 16 hexadecimal digits."""
    return hashlib.blake2b(b"echoplane store", key=secret[:MOST], digest_size=8).hexdigest()


def other_secrets(stores: Sequence[StoreReader]) -> tuple[str, ...]:
    """Return a warning when patients of the stores were hashed with different secrets, else nothing.

    A store that does not say with which (an old one whose secret was deleted) is passed over.
    """
    found: dict[str, str] = {}
    for store in stores:
        if any(_HASH.fullmatch(row.group) for row in store.rows) and (mark := store.info.secret or _of_file(store)):
            found.setdefault(mark, store.path)
    if len(found) < 2:
        return ()
    return (
        f"{' and '.join(found.values())} hashed their patients with different secrets: whoever is in both counts as "
        "two persons, and may land on two sides. If that can be, prepare them anew with one --patient-key FILE.",
    )


def _of_file(store: StoreReader) -> str:
    file = Path(store.path) / KEY_FILE
    return fingerprint(file.read_bytes()) if "://" not in store.path and file.is_file() else ""
