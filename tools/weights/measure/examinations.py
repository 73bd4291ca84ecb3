"""Whole examinations of phantom patients as DICOM, read as a user reads them: file in, view out."""

from __future__ import annotations

import tempfile
from pathlib import Path

from echoplane.inference.classifier import ViewClassifier
from echoplane.models.bundle import Bundle
from echoplane.phantom.clip import PhantomCine
from echoplane.phantom.dicom import Place, write_dicom
from echoplane.phantom.study import render_study
from echoplane.records import Status
from echoplane.views import MAIN_VIEWS, OTHER
from measure import fresh
from measure.reader import coarse
from measure.results import Ledger, Row, Say, identity, quiet, ranged, save, share, table

SEED = 932_000_000
#: A view, or that it is none: said by the network, or by the file's own header.
DOUBTLESS = (Status.OK, Status.OTHER, Status.COLOR_DOPPLER, Status.SPECTRAL_DOPPLER, Status.M_MODE, Status.NOT_B_MODE)


def measure(bundle: Bundle, out: Path, patients: int = 16, say: Say = quiet) -> Row:
    """Render, write, predict; write ``examinations.json`` and its tables.

    What the protocol of an examination holds is in :mod:`echoplane.phantom.study`: standard views, stills among them,
    and Doppler, M-mode and stray pictures. Where the file itself says that it is no B-mode, that is its answer.
    """
    ledger = Ledger(out / "examinations.rows.jsonl", {"bundle": identity(bundle)})
    reader = ViewClassifier.load(bundle, threads=1, include_stills=True)
    for number in range(patients):
        name = f"{number:04d}"
        if name in ledger:
            continue
        with tempfile.TemporaryDirectory() as folder:
            ledger.add(
                name, [_row(reader, Path(folder), clip.number, cine) for clip, cine in render_study(SEED, number)]
            )
        say(f"examinations: patient {number + 1} of {patients}")
    rows = [row for row in ledger.rows() if int(row["cine"]) < patients]
    facts = {"bundle": identity(bundle), "seed": SEED, **figures(rows)}
    save(out, "examinations", facts, markdown(facts))
    return facts


def _row(reader: ViewClassifier, folder: Path, number: int, cine: PhantomCine) -> Row:
    file = folder / f"{number:03d}.dcm"
    write_dicom(cine, file, Place("examination", "examination", number))
    found = reader.predict(file)
    file.unlink()
    return {
        "truth": fresh.SAME_AS.get(cine.view, cine.view),
        "status": found.status.value,
        "probability": found.probability,
        "best": coarse(found.best_view) if found.best_view else OTHER,
        "still": len(cine.frames) == 1,
    }


def figures(rows: list[Row]) -> Row:
    """Return every figure; the patient is the unit of the intervals."""

    def of(chosen: list[Row]) -> Row:
        return share([r["best"] == coarse(r["truth"]) for r in chosen], [r["cine"] for r in chosen])

    offered = [r for r in rows if r["status"] in DOUBTLESS]
    return {
        "files": len(rows),
        "patients": len({r["cine"] for r in rows}),
        "stills": sum(r["still"] for r in rows),
        "accuracy": of(rows),
        "accuracy_main": of([r for r in rows if r["truth"] in MAIN_VIEWS]),
        "offered": share([r["status"] in DOUBTLESS for r in rows], [r["cine"] for r in rows]),
        "right_of_offered": of(offered),
        "confusion": fresh.counted(rows),
        "status": {s: sum(r["status"] == s for r in rows) for s in sorted({r["status"] for r in rows})},
    }


def markdown(facts: Row) -> str:
    """Return the tables."""
    named = [
        ("forced choice right, six views and other", "accuracy"),
        ("the same, files of the six views", "accuracy_main"),
        ("answered as a view or as none of them", "offered"),
        ("right of these", "right_of_offered"),
    ]
    first = table(("figure", "value", "files"), [(words, ranged(facts[k]), facts[k]["cines"]) for words, k in named])
    return first + "\n" + fresh.confusion(facts)
