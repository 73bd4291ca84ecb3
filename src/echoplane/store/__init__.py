"""Prepared cines on disk: a folder of safetensors shards that is whole at every moment.

Why safetensors and not another format, with figures: ``docs/decisions/0009-store.md``.
"""

from __future__ import annotations

from echoplane.store._repair import Repaired, repair
from echoplane.store.reader import StoreReader, losses, open_stores
from echoplane.store.schema import StoreInfo, StoreRow
from echoplane.store.writer import StoreWriter

__all__ = ["Repaired", "StoreInfo", "StoreReader", "StoreRow", "StoreWriter", "losses", "open_stores", "repair"]
