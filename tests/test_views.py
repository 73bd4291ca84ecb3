import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts

from echoplane import views
from echoplane.errors import UsageError
from echoplane.views import Family, find_view

CID_12226 = {
    (scheme, code): name[0]
    for scheme, keywords in cid_concepts[12226].items()
    for keyword in keywords
    for code, name in concepts[scheme][keyword].items()
}


@pytest.mark.parametrize("row", [v for v in views.VIEWS if v.code], ids=lambda v: v.label)
def test_codes_are_those_of_the_standard(row: views.View) -> None:
    assert row.code is not None
    value, scheme, meaning = row.code
    assert CID_12226[scheme, value] == meaning


def test_main_views_are_exact_except_the_apical_level_which_the_standard_lacks() -> None:
    wider = [label for label in views.MAIN_VIEWS if views.view(label).code_is_wider]
    assert wider == ["PSAX-AP"]
    assert not any("apical" in m.lower() and "short" in m.lower() for m in CID_12226.values())


def test_no_spelling_means_two_views() -> None:
    seen: dict[str, str] = {}
    for row in views.VIEWS:
        for name in (row.label, row.meaning, *row.accepted):
            found = find_view(name)
            assert found is not None
            assert found.label == row.label, f"{name!r} of {row.label} is taken for {found.label}"
            seen[name] = row.label
    assert len({v.label for v in views.VIEWS}) == len(views.VIEWS)


@pytest.mark.parametrize(
    ("name", "label"),
    [("4ch", "A4C"), ("ap4", "A4C"), ("Apical 2 Chamber", "A2C"), ("ALAX", "A3C"), ("sax_mv", "PSAX-MV"),
     ("mitral", "PSAX-MV"), ("papillary", "PSAX-PM"), ("mid", "PSAX-PM"), ("SAX AP", "PSAX-AP"), ("apex", "PSAX-AP")],
)  # fmt: skip
def test_names_of_the_design_page_are_accepted(name: str, label: str) -> None:
    found = find_view(name)
    assert found is not None
    assert found.label == label


@given(
    st.sampled_from(views.VIEWS), st.sampled_from([str.upper, str.lower, str.title]), st.sampled_from([" ", "_", "-"])
)
def test_case_and_separators_do_not_matter(row: views.View, case: object, separator: str) -> None:
    for name in (row.label, *row.accepted):
        found = find_view(case(name).replace(" ", separator).replace("-", separator))  # type: ignore[operator]
        assert found is not None
        assert found.label == row.label


def test_unknown_label_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'A4D'; did you mean 'A\dC'"):
        views.view("A4D")
    assert find_view("liver") is None
    assert views.suggest("xqzwv") == ""


def test_families() -> None:
    assert {views.family_of(v) for v in ("A2C", "A3C", "A4C")} == {Family.APICAL}
    assert {views.family_of(v) for v in ("PSAX-MV", "PSAX-PM", "PSAX-AP")} == {Family.SHORT_AXIS}
    assert views.family_of("made up") is Family.NONE
