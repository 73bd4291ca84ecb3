"""The layouts of data sets as lines of a help text, without importing the adapters."""

from __future__ import annotations

#: Name and one line each; a test holds this list to the adapters.
LAYOUT_HELP: tuple[tuple[str, str], ...] = (
    ("folders", "one folder a view: A4C/clip.dcm, numbered pictures too"),
    ("sheet", "a label sheet (study, file, view), files in <study>/<file>, or (file, view)"),
    ("frames", "<view>/<clip>_<n>.jpg, all clips of a view in one folder"),
    ("ev9v", "EV9V: labels.csv, train.txt, ..., Images/<video>/"),
    ("camus", "CAMUS: patientNNNN/..._half_sequence.nii.gz or .mhd"),
    ("echonet-dynamic", "FileList.csv, Videos/"),
    ("echonet-pediatric", "A4C/ and PSAX/, each with FileList.csv, Videos/"),
    ("echonet-lvh", "MeasurementsList.csv, Batch1/ ... Batch4/"),
    ("tmed2", "PNG stills and a CSV with query_key,view_label"),
    ("mimic-iv-echo", "echo-record-list.csv, files/; --sheet with probabilities"),
    ("hmc-qu", "AVI files named or sorted by A4C and A2C"),
    ("phantom", "truth.csv and studies, from `echoplane phantom study`"),
)


def layout_lines() -> str:
    """Return the list for the end of a help text."""
    return "\b\n" + "\n".join(f"  {name:19}{about}" for name, about in LAYOUT_HELP)
