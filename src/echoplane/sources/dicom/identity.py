"""Which DICOM files are of one patient and one study, without saying who: keyed hashes of the identifiers.

PatientID and StudyInstanceUID are read, hashed at once with a secret key, and dropped. Nothing else about the patient
is read, and nothing of it enters a message.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from echoplane.errors import EchoplaneError
from echoplane.sources.dicom.header import read_header
from echoplane.sources.dicom.stream import Opener

#: Letters of a hash: 64 bits, so that a million patients collide with a chance of 3 in 100 million.
LENGTH = 16


def patient_and_study(path: str | Path, key: bytes) -> tuple[str, str]:
    """Return pseudonyms of patient and study.

    Parameters
    ----------
    path : str or Path
    key : bytes
        Secret, up to 64 bytes: who has it can test whether a known identifier is among the hashes.

    Returns
    -------
    patient, study : str
        16 hexadecimal digits; empty where the file does not say, or is no DICOM file.
    """
    try:
        header = read_header(Opener(str(path), ""), ("PatientID", "IssuerOfPatientID", "StudyInstanceUID"))
    except (EchoplaneError, OSError):  # whether the file is sound is open_cine's to say
        return "", ""
    patient, issuer, study = map(header.text, ("PatientID", "IssuerOfPatientID", "StudyInstanceUID"))
    return (
        _hash(f"{issuer}\0{patient}", key) if patient else "",
        _hash(study, key) if study else "",
    )


def _hash(text: str, key: bytes) -> str:
    return hashlib.blake2b(text.encode(), key=key, digest_size=LENGTH // 2).hexdigest()
