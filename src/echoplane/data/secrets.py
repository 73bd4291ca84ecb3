"""The secret that patients are hashed with: a store's own, or one that several stores share."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from echoplane.errors import StoreError, UsageError
from echoplane.store import StoreReader
from echoplane.store.writer import STALE_SECONDS

#: Secret with which patient identifiers are hashed; stays beside the store and is not part of it.
KEY_FILE = ".patient-key"
#: Bytes of a secret that count, and the fewest that a store may begin with: a short one is found by trying.
MOST, LEAST = 64, 16
#: What it makes of one; patients that a layout names itself look otherwise.
_HASH = re.compile(r"[0-9a-f]{16}")


def fitting(store: StoreReader | None, given: bytes | None) -> bytes | None:
    """Return the secret to hash patients with; nothing is written.

    Parameters
    ----------
    store : StoreReader or None
        What there is to go on with.
    given : bytes or None
        The user's own; up to 64 bytes count.

    Returns
    -------
    bytes or None
        None where the store has to make one, see :func:`own_secret`.

    Raises
    ------
    UsageError
        When a store would begin with a secret of less than 16 bytes.
    StoreError
        When its patients were hashed with another, or with one that is not here any more: one patient would count as
        two.
    """
    hashed = store is not None and bool(store.info.secret or any(_HASH.fullmatch(row.group) for row in store.rows))
    if store is None or not hashed:
        if given is not None and len(given) < LEAST:
            raise UsageError(
                f"--patient-key: the file holds {len(given)} bytes; a secret needs {LEAST} at least, for example those "
                'that python -c "import secrets; print(secrets.token_hex(32))" prints.'
            )
        return given[:MOST] if given is not None else None
    mark, file = store.info.secret or _of_file(store), Path(store.path) / KEY_FILE
    if given is None and not file.exists():
        raise StoreError(
            f"{store.path}: its patients were hashed with a secret that is not here ({KEY_FILE} was deleted, or "
            "another one given). Give it as --patient-key FILE, or use a new folder: training takes several stores."
        )
    secret = file.read_bytes() if given is None else given[:MOST]
    if mark not in ("", fingerprint(secret)):
        raise StoreError(
            f"{store.path}: its patients were hashed with another secret, so that whoever comes again would count as "
            "two persons. Give the same --patient-key as then (or none, if none was given), or use a new folder."
        )
    return secret


def own_secret(folder: Path) -> bytes:
    """Return the secret that lies beside a store, made now where there is none yet.

    Raises
    ------
    StoreError
        When it is damaged.
    """
    file = folder / KEY_FILE
    if not file.exists():
        _make_secret(file)
    for left in folder.glob(f"{KEY_FILE}-*"):  # of a run that was killed while it made one
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                left.unlink()
    secret = file.read_bytes()
    if len(secret) < LEAST:
        raise StoreError(f"{file}: is damaged: a secret of {len(secret)} bytes. Put the right one back.")
    return secret


def _make_secret(file: Path) -> None:
    """Write a new secret whole, unless another run was faster: then its secret is the store's."""
    fresh = file.with_name(f"{KEY_FILE}-{secrets.token_hex(8)}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:  # noqa: PTH123
        stream.write(secrets.token_bytes(32))
    try:
        os.link(fresh, file)
    except FileExistsError:
        pass
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
