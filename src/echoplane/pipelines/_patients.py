"""Whose cine each is: from the layout, from a pattern over names, or, later, from the header."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import replace

from echoplane.data.manifest import Manifest, ManifestRow
from echoplane.errors import DataError, UsageError
from echoplane.sources.dicom.identity import patient_and_study


def with_patients(manifest: Manifest, patients: str) -> Manifest:
    """Fill in patient and study from the key, where a pattern is given and the layout does not tell.

    Raises
    ------
    UsageError
        When `patients` is neither ``header``, ``none`` nor a pattern with a group ``patient``.
    DataError
        When the pattern finds no patient in some cine.
    """
    if patients in ("header", "none"):
        return manifest
    try:
        pattern = re.compile(patients)
    except re.error as error:
        raise UsageError(
            f"--patients {patients!r} is neither header, none nor a regular expression: {error}."
        ) from None
    if "patient" not in pattern.groupindex:
        raise UsageError(
            f"--patients {patients!r}: a pattern needs a group (?P<patient>...), and may have (?P<study>...)."
        )
    rows, misses = [], []
    for row in manifest.rows:
        match = pattern.search(row.cine)
        found = match.groupdict() if match else {}
        if not found.get("patient"):
            misses.append(row.cine)
        patient, study = row.patient or found.get("patient") or "", row.study or found.get("study") or ""
        rows.append(replace(row, patient=patient, study=study))
    if misses:
        raise DataError(f"--patients {patients!r} finds no patient in {len(misses)} cines, for example {misses[0]!r}.")
    return replace(manifest, rows=tuple(rows))


def refuse_half_named(rows: list[ManifestRow], stored: Set[str]) -> None:
    """Make sure that nobody is known by a name in one cine and by a hash in another.

    Parameters
    ----------
    rows : list of ManifestRow
    stored : set of str
        Cines that are not asked any more.

    Raises
    ------
    DataError
        Where the layout names the patients of some cines, and the header those of others.
    """
    unnamed = [row for row in rows if not row.patient]
    if len(unnamed) == len(rows):
        return
    for row in unnamed:
        # Only whether it names anyone matters here.
        if row.cine not in stored and row.item.path.is_file() and patient_and_study(row.item.path, b"")[0]:
            raise DataError(
                f"{len(unnamed)} of {len(rows)} cines come without a patient, for example {row.cine!r}, and the others "
                "with one: whoever is in both would count as two persons. Fill in the patients; or leave them all out, "
                "so that those of the headers count; or take --patients none, for each of these is another's."
            )
