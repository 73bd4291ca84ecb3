"""The views of the heart: labels, accepted names, families and standard codes.

The vocabulary is data. A model bundle carries its own ordered list of labels; this table says what each label
means. Codes are from DICOM CID 12226 "Echocardiography Image View" (PS3.16, SNOMED CT, scheme designator ``SCT``).
Where the standard has no code for a view the row says so with None, or names the closest wider code.

View names follow the American Society of Echocardiography (Mitchell et al., J Am Soc Echocardiogr 2019;32:1-64).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from echoplane.errors import UsageError


class Family(StrEnum):
    """The window a view is seen from, as far as it matters to a confusion."""

    APICAL = "apical"
    SHORT_AXIS = "short_axis"
    LONG_AXIS = "long_axis"
    SUBCOSTAL = "subcostal"
    SUPRASTERNAL = "suprasternal"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class View:
    """One row of the vocabulary.

    Attributes
    ----------
    label : str
        The name used in files and on the screen.
    meaning : str
        The view in words.
    family : Family
        Window it belongs to.
    accepted : tuple of str
        Other spellings that :func:`find_view` understands.
    code : tuple of (str, str, str) or None
        ``(CodeValue, CodingSchemeDesignator, CodeMeaning)`` from CID 12226.
    code_is_wider : bool
        True when the standard has no code for exactly this view and `code` names a wider one.
    """

    label: str
    meaning: str
    family: Family
    accepted: tuple[str, ...] = ()
    code: tuple[str, str, str] | None = None
    code_is_wider: bool = False


def _sct(value: str, meaning: str) -> tuple[str, str, str]:
    return value, "SCT", meaning


VIEWS: tuple[View, ...] = (
    View(
        "A2C",
        "apical two-chamber",
        Family.APICAL,
        ("2CH", "AP2", "apical 2", "apical 2 chamber", "apical two chamber"),
        _sct("399232001", "Apical two chamber"),
    ),
    View(
        "A3C",
        "apical three-chamber (apical long axis)",
        Family.APICAL,
        ("3CH", "ALAX", "APLAX", "AP3", "apical 3", "apical 3 chamber", "apical long axis"),
        _sct("399339008", "Apical long axis"),
    ),
    View(
        "A4C",
        "apical four-chamber",
        Family.APICAL,
        ("4CH", "AP4", "apical 4", "apical 4 chamber", "apical four chamber"),
        _sct("399214001", "Apical four chamber"),
    ),
    View(
        "PSAX-MV",
        "parasternal short axis, mitral valve level",
        Family.SHORT_AXIS,
        ("mitral", "SAX-MV", "PSAX mitral", "basal", "SAX basal"),
        _sct("399036006", "Parasternal short axis at the Mitral Valve level"),
    ),
    View(
        "PSAX-PM",
        "parasternal short axis, papillary muscle level",
        Family.SHORT_AXIS,
        ("papillary", "SAX-PM", "PSAX papillary", "mid", "SAX mid"),
        _sct("399271003", "Parasternal short axis at the Papillary Muscle level"),
    ),
    View(
        "PSAX-AP",
        "parasternal short axis, apical level",
        Family.SHORT_AXIS,
        ("apex", "SAX-AP", "PSAX apex", "apical level", "SAX apical"),
        _sct("399306005", "Parasternal short axis"),
        code_is_wider=True,
    ),
    View(
        "PSAX-AV",
        "parasternal short axis, aortic valve level",
        Family.SHORT_AXIS,
        ("SAX-AV", "PSAX aortic", "great vessels"),
        _sct("399239005", "Parasternal short axis at the aortic valve level"),
    ),
    View(
        "PSAX",
        "parasternal short axis, level not clear",
        Family.SHORT_AXIS,
        ("SAX", "short axis"),
        _sct("399306005", "Parasternal short axis"),
    ),
    View(
        "PLAX",
        "parasternal long axis",
        Family.LONG_AXIS,
        ("PLHLA", "parasternal long axis", "LAX"),
        _sct("399139001", "Parasternal long axis"),
    ),
    View(
        "A5C",
        "apical five-chamber",
        Family.APICAL,
        ("5CH", "AP5", "apical 5", "apical 5 chamber"),
        _sct("399214001", "Apical four chamber"),
        code_is_wider=True,
    ),
    View(
        "RV-A4C",
        "apical four-chamber, right ventricle focused",
        Family.APICAL,
        ("RV focused", "A4C-RV"),
        ("130681", "DCM", "Apical four chamber RV Focused"),
    ),
    View(
        "SC4C",
        "subcostal four-chamber",
        Family.SUBCOSTAL,
        ("subcostal", "SUBCOSTAL", "S4C", "subcostal 4 chamber"),
        _sct("399310008", "Subcostal long axis"),
    ),
    View("SC-IVC", "subcostal, inferior vena cava", Family.SUBCOSTAL, ("IVC", "SUBIVC"), None),
    View(
        "SSN",
        "suprasternal notch, aortic arch",
        Family.SUPRASTERNAL,
        ("suprasternal", "arch"),
        _sct("443562002", "Suprasternal long axis view of aortic arch"),
    ),
    View(
        "DOPPLER",
        "colour or spectral Doppler",
        Family.NONE,
        ("color doppler", "spectral doppler", "CW", "PW"),
    ),
    View("M-MODE", "M-mode", Family.NONE, ("mmode",)),
    View("NOISE", "no heart: another organ, air, noise, not ultrasound", Family.NONE, ("not echo", "none")),
    View("other", "none of the main views", Family.NONE, ("OTHER", "rest")),
)

#: The six main views, in the order in which models that ship with the package list them.
MAIN_VIEWS: tuple[str, ...] = ("A2C", "A3C", "A4C", "PSAX-MV", "PSAX-PM", "PSAX-AP")

OTHER = "other"

_BY_LABEL = {view.label: view for view in VIEWS}


def _key(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name).casefold()


_BY_NAME = {_key(name): view for view in VIEWS for name in (view.label, view.meaning, *view.accepted)}


def view(label: str) -> View:
    """Return the row of a label, spelled exactly.

    Raises
    ------
    UsageError
        When the label is not in the table.
    """
    try:
        return _BY_LABEL[label]
    except KeyError:
        raise UsageError(f"unknown view label {label!r}{suggest(label, _BY_LABEL)}") from None


def find_view(name: str) -> View | None:
    """Return the row that a spelling means (case, spaces, ``-`` and ``_`` ignored), or None."""
    return _BY_NAME.get(_key(name))


def suggest(name: str, among: Iterable[str] | None = None) -> str:
    """Return ``"; did you mean 'X'?"`` for the nearest known spelling, or an empty string."""
    candidates = {
        _key(c): c for c in (among if among is not None else [n for v in VIEWS for n in (v.label, *v.accepted)])
    }
    near = difflib.get_close_matches(_key(name), candidates, n=1, cutoff=0.6)
    return f"; did you mean {candidates[near[0]]!r}?" if near else ""


def shows_the_heart(label: str) -> bool:
    """Tell whether a label may be a view of the heart: not ``other``, Doppler, M-mode or noise; strange ones may."""
    return label != OTHER and not (label in _BY_LABEL and _BY_LABEL[label].family is Family.NONE)


def family_of(label: str) -> Family:
    """Return the family of a label; labels outside the table are in no family."""
    row = _BY_LABEL.get(label)
    return row.family if row else Family.NONE
