"""Do several stores know a person by the same pseudonym? Only when their patients were hashed with one secret."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from echoplane.store import StoreReader

#: Secret with which patient identifiers are hashed; stays beside the store and is not part of it.
KEY_FILE = ".patient-key"
#: What it makes of one; patients that a layout names itself look otherwise.
_HASH = re.compile(r"[0-9a-f]{16}")


def other_secrets(stores: Sequence[StoreReader]) -> tuple[str, ...]:
    """Return a warning when patients of the stores were hashed with different secrets, else nothing.

    A store whose secret is not there (deleted, a file elsewhere, a bucket) tells nothing and is passed over.
    """
    secrets: dict[bytes, str] = {}
    for store in stores:
        file = Path(store.path) / KEY_FILE
        if "://" not in store.path and file.is_file() and any(_HASH.fullmatch(row.group) for row in store.rows):
            secrets.setdefault(file.read_bytes(), store.path)
    if len(secrets) < 2:
        return ()
    return (
        f"{' and '.join(secrets.values())} hashed their patients with different secrets: whoever is in both counts as "
        "two persons, and may land on two sides. If that can be, prepare them anew with one --patient-key FILE.",
    )
