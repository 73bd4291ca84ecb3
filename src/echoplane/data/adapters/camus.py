"""CAMUS: apical two- and four-chamber cines as NIfTI or MetaImage, CC BY-NC-SA 4.0.

Written from the public description of the data set, not run on the real one:
``patientNNNN/patientNNNN_{2CH,4CH}_half_sequence.nii.gz``, or ``..._sequence.mhd`` with ``.raw`` in the older
distribution. The single end-diastolic and end-systolic pictures and the contours are not cines and are left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from echoplane.data.adapters._tables import key_of
from echoplane.data.adapters.layout import Layout, Options
from echoplane.data.manifest import Manifest, ManifestRow
from echoplane.errors import DataError
from echoplane.sources.item import SourceItem

_CINE = re.compile(r"(patient\d+)_(2CH|4CH)_(?:half_)?sequence\.(?:nii\.gz|nii|mhd)", re.IGNORECASE)


def read(root: Path, options: Options) -> Manifest:
    """List the half sequences; the patient is in the file name."""
    del options
    rows = []
    for path in sorted(root.rglob("patient*_*")):
        match = _CINE.fullmatch(path.name)
        if match and path.is_file():
            key = key_of(path, root)
            files = (path.name, path.with_suffix(".raw").name) if path.suffix.lower() == ".mhd" else ()
            rows.append(ManifestRow(key, SourceItem(key, path, "", files), match[2].upper(), patient=match[1].lower()))
    if not rows:
        raise DataError(
            f"{root}: holds no patientNNNN/patientNNNN_2CH_half_sequence.nii.gz (or _sequence.mhd); "
            "is this the folder of CAMUS?"
        )
    return Manifest(tuple(rows))


LAYOUT = Layout(
    "camus",
    "CAMUS: patientNNNN/patientNNNN_{2CH,4CH}_half_sequence.nii.gz (or _sequence.mhd)",
    read,
    "CAMUS (CC BY-NC-SA 4.0, non-commercial)",
)
