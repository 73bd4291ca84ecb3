from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echoplane.data.adapters import LAYOUTS
from echoplane.data.labels import SHOWN, LabelTable, UnknownLabelsError, in_order, save_table
from echoplane.errors import DataError
from echoplane.views import VIEWS


def table(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return LabelTable.load(path)


def test_the_vocabulary_is_known_without_a_table():
    assert LabelTable().resolve_all({"4ch": 3, "parasternal long axis": 1}) == {
        "4ch": "A4C",
        "parasternal long axis": "PLAX",
    }


def test_a_table_has_the_last_word(tmp_path):
    mine = table(tmp_path, "given,label,note\nPASA,PSAX-PM,checked by eye\n PMPALA ,skip,\nA4C,4CH,\n\n")
    both = mine.over(LabelTable.of_layout("ev9v"))
    assert both.resolve("pasa") == "PSAX-PM"
    assert both.resolve("PMPALA") == "skip"
    assert both.resolve("PMVLSA") == "PSAX-MV"
    assert both.resolve("A4C") == "A4C"


def test_a_label_that_a_spreadsheet_would_run_is_disarmed_and_comes_back(tmp_path):
    save_table({'=HYPERLINK("x")': "A4C", "+": "skip"}, tmp_path / "labels.csv")
    assert "\n'+,skip" in (tmp_path / "labels.csv").read_text()
    read = LabelTable.load(tmp_path / "labels.csv")
    assert (read.resolve('=hyperlink("x")'), read.resolve("+")) == ("A4C", "skip")


@pytest.mark.parametrize("header", ["Given;Label;cines", "given\tlabel\tcines"])
def test_a_table_that_a_spreadsheet_saved_again(tmp_path, header):
    mark = ";" if ";" in header else "\t"
    lines = [header, mark.join(("base", "PSAX-MV", "3")), mark.join(("apex, zoomed", "skip", "1")), mark * 2]
    read = table(tmp_path, "\r\n".join(lines))
    assert (read.resolve("Base"), read.resolve("apex, zoomed")) == ("PSAX-MV", "skip")


def test_unknown_labels_are_listed_with_suggestions():
    with pytest.raises(UnknownLabelsError) as caught:
        LabelTable().resolve_all({"A4C": 9, "apical 4 chambr": 3, "zzz": 2})
    assert "2 labels are not known" in str(caught.value)
    assert "'apical 4 chambr' (3 cines); did you mean 'apical 4 chamber'?" in str(caught.value)
    assert caught.value.template == {"A4C": "A4C", "apical 4 chambr": "A4C", "zzz": ""}


def test_one_unknown_label_is_one():
    with pytest.raises(UnknownLabelsError, match=r"^1 label is not known:\n  'zzz' \(1 cines\)\nSay .* what it is "):
        LabelTable().resolve_all({"A4C": 9, "zzz": 1})


def test_labels_that_are_not_listed_are_counted():
    with pytest.raises(UnknownLabelsError, match=r"\n  and 5 more\n"):
        LabelTable().resolve_all({f"zzz{number}": 1 for number in range(SHOWN + 5)})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\nx,A4C\n", "needs the header 'given,label'"),
        ("given,label\nx,A4CC\n", r"labels\.csv:2: 'x' is given the label 'A4CC'; did you mean 'A4C'\?"),
        ("given,label\nx,\n", r"labels\.csv:2: 'x' is given the label ''"),
        ("given,label\nx,A4C\nX,A2C\n", r"labels\.csv:3: 'X' stands twice, as A4C and as A2C"),
        ("sep=;\ngiven;label\n\nx;A4CC\n", r"labels\.csv:4: 'x' is given the label 'A4CC'"),
    ],
)
def test_a_bad_table_is_named(tmp_path, text, says):
    with pytest.raises(DataError, match=says):
        table(tmp_path, text)
    with pytest.raises(DataError, match="cannot be read"):
        LabelTable.load(tmp_path / "nothing.csv")


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).map(str.casefold),
        st.sampled_from([*(view.label for view in VIEWS), "skip"]),
    )
)
def test_a_saved_table_reads_back(tmp_path_factory, meanings):
    path = tmp_path_factory.mktemp("t") / "labels.csv"
    save_table(meanings, path, dict.fromkeys(meanings, 1))
    read = LabelTable.load(path)
    assert {given: read.resolve(given) for given in meanings} == meanings


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_tables_that_come_with_layouts_are_sound(layout):
    for meaning in LabelTable.of_layout(layout).entries.values():
        assert meaning == "skip" or meaning in {view.label for view in VIEWS}


def test_views_in_the_order_of_the_vocabulary():
    assert in_order(["PLAX", "A4C", "A2C", "nonsense", ""]) == ("A2C", "A4C", "PLAX")


@pytest.mark.parametrize(
    ("given", "view"), [("Apical 4", "A4C"), ("apical 2", "A2C"), ("apical-3", "A3C"), ("APICAL_5", "A5C")]
)
def test_apical_windows_by_number(given, view):
    assert LabelTable().resolve(given) == view


def test_a_guess_of_another_number_is_not_filled_in():
    with pytest.raises(UnknownLabelsError) as caught:
        LabelTable().resolve_all({"apical 6": 2, "apical 4 chambre": 1})
    assert caught.value.template == {"apical 6": "", "apical 4 chambre": "A4C"}
