"""What PS3.3 asks of ultrasound images, for dicom-validator.

It reads the standard from the network; highdicom comes with a copy of its tables, without the conditions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydicom.datadict import tag_for_keyword

from echoplane.phantom.dicom import MULTI_FRAME, SINGLE_FRAME

#: Modules that the IOD leaves to conditions, and that every phantom file has.
ALWAYS = ("us-region-calibration",)


@pytest.fixture(scope="session")
def standard() -> Any:
    """Modules and attributes of both ultrasound images, a DicomInfo; what depends on conditions counts as optional."""
    highdicom = pytest.importorskip("highdicom")
    info = pytest.importorskip("dicom_validator.validator.dicom_info")
    tables = Path(highdicom.__file__).parent / "_standard"
    modules = json.loads((tables / "iod_module_map.json").read_text())
    attributes = json.loads((tables / "module_attribute_map.json").read_text())
    iods: dict[str, Any] = {}
    needed: dict[str, Any] = {}
    names = {SINGLE_FRAME: "ultrasound-image", MULTI_FRAME: "ultrasound-multi-frame-image"}
    for uid, name in names.items():
        uses = {m["key"]: "M" if m["usage"] == "M" or m["key"] in ALWAYS else "U" for m in modules[name]}
        iods[str(uid)] = {
            "title": name,
            "group_macros": {},
            "modules": {key: {"ref": key, "use": use} for key, use in uses.items()},
        }
        needed |= {key: _module(attributes[key]) for key in uses}
    return info.DicomInfo({}, iods, needed)


def _module(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in sorted(attributes, key=lambda a: len(a["path"])):
        names = [*attribute["path"], attribute["keyword"]]
        if not all(map(tag_for_keyword, names)):
            continue  # newer than pydicom's dictionary, so no file of ours has it
        level = found
        for step in names[:-1]:
            level = level.setdefault(_tag(step), {"name": step, "type": "3"}).setdefault("items", {})
        kind = attribute["type"] if attribute["type"] in ("1", "2") else "3"
        level.setdefault(_tag(names[-1]), {}).update(name=names[-1], type=kind)
    return found


def _tag(keyword: str) -> str:
    number = tag_for_keyword(keyword)
    assert number is not None
    return f"({number >> 16:04X},{number & 0xFFFF:04X})"
