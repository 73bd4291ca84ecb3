from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echoplane.data.leaks import check_leaks
from echoplane.data.split import Split, SplitRow, make_split
from echoplane.errors import DataError, LeakError, UsageError
from echoplane.store import StoreRow

VIEWS = ("A2C", "A3C", "A4C", "PSAX-MV")


def cohort(patients: int, seed: int = 0, **options: object) -> list[StoreRow]:
    rng = np.random.default_rng(seed)
    return [
        StoreRow(f"p{p}/c{c}", label=VIEWS[int(rng.integers(4))], group=f"p{p}", sha256=f"{p}-{c}", **options)
        for p in range(patients)
        for c in range(int(rng.integers(1, 9)))
    ]


rows_strategy = st.lists(
    st.builds(
        StoreRow,
        cine=st.uuids().map(str),
        label=st.sampled_from(VIEWS),
        group=st.sampled_from(["", "p1", "p2", "p3", "p4", "p5"]),
        study=st.sampled_from(["", "s1", "s2", "s3"]),
        sha256=st.integers(0, 30).map(str),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda row: row.cine,
)


@settings(max_examples=150, deadline=None)
@given(rows=rows_strategy, folds=st.sampled_from([0, 2, 4]), test=st.sampled_from([0.0, 0.2]), seed=st.integers(0, 99))
def test_no_split_ever_parts_a_patient(rows, folds, test, seed):
    try:
        split, _ = make_split(rows, folds=folds, test=test, seed=seed)
    except LeakError:
        raise
    except DataError:
        return
    side = {row.cine: (row.part, row.fold) for row in split.rows}
    assert side.keys() == {row.cine for row in rows}
    for field in ("group", "sha256"):
        for value in {getattr(row, field) for row in rows} - {""}:
            assert len({side[row.cine] for row in rows if getattr(row, field) == value}) == 1
    for study in {row.study for row in rows if not row.group} - {""}:
        assert len({side[row.cine] for row in rows if row.study == study}) == 1
    for fold in range(split.folds):
        train, held = set(split.cines("train", fold)), set(split.cines("validation", fold))
        assert held
        assert not train & held
        assert train | held | set(split.cines("test")) == side.keys()


def test_folds_are_as_even_as_those_of_scikit_learn():
    selection = pytest.importorskip("sklearn.model_selection")
    ours, theirs = [], []
    for seed in range(5):
        rows = sorted(cohort(60, seed), key=lambda row: row.cine)
        labels = np.array([row.label for row in rows])
        total = np.array([(labels == view).sum() for view in VIEWS])

        def spread(folds, labels=labels, total=total):
            return np.std([[(labels[f] == v).sum() for v in VIEWS] / total for f in folds], axis=0).mean()

        split, _ = make_split(rows, folds=5, seed=seed)
        number = np.array([row.fold for row in split.rows])
        ours.append(spread([np.flatnonzero(number == k) for k in range(5)]))
        other = selection.StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        theirs.append(spread([f for _, f in other.split(labels, labels, [row.group for row in rows])]))
    assert np.mean(ours) <= np.mean(theirs) * 1.1


def test_shares_are_met():
    split, warnings = make_split(cohort(200), validation=0.2, test=0.1)
    size = {part: len(split.cines(part)) / len(split.rows) for part in ("train", "validation", "test")}
    assert size["validation"] == pytest.approx(0.2, abs=0.02)
    assert size["test"] == pytest.approx(0.1, abs=0.02)
    assert warnings == ()


def test_same_seed_same_split_in_any_order():
    rows = cohort(30)
    one, _ = make_split(rows, folds=3, seed=1)
    assert make_split(rows[::-1], folds=3, seed=1)[0] == one
    assert make_split(rows, folds=3, seed=2)[0] != one


def test_the_warning_says_what_the_grouping_rests_on():
    rows = [StoreRow(f"{n}", label="A4C", study=f"s{n}" if n % 2 else "") for n in range(10)]
    _, warnings = make_split(rows, validation=0.5)
    assert "5 cines have no patient and are grouped by study" in warnings[0]
    assert "5 cines have neither patient nor study" in warnings[0]


def test_a_view_of_few_patients_is_named():
    rows = [*cohort(20), StoreRow("x", label="SSN", group="p1")]
    _, warnings = make_split(rows, folds=4)
    assert warnings == ("View 'SSN': 1 patient, fewer than the 4 sides of the split.",)


def test_a_given_split_is_kept():
    rows = [
        StoreRow(f"{n}", label="A4C", group=f"p{n}", split=("train", "validation", "test")[n % 3]) for n in range(9)
    ]
    split, _ = make_split(rows)
    assert {row.cine: row.part for row in split.rows} == {row.cine: row.split for row in rows}
    folded, _ = make_split(rows, folds=3)
    assert set(folded.cines("test")) == {row.cine for row in rows if row.split == "test"}
    assert folded.folds == 3
    assert {row.part for row in make_split(rows, given=False, validation=0.3)[0].rows} == {"train", "validation"}


def test_validation_is_carved_from_the_given_training_cines():
    rows = [StoreRow(f"{n}", label="A4C", group=f"p{n}", split="test" if n < 5 else "train") for n in range(25)]
    split, _ = make_split(rows, validation=0.2)
    assert len(split.cines("test")) == 5
    assert len(split.cines("validation")) == 5


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_given_split_of_one_store_is_no_split_of_another(part):
    ours = [StoreRow(f"g{n}", label="A4C", group=f"g{n}", split=part if n < 2 else "train") for n in range(10)]
    others = [StoreRow(f"q{n}", label="A4C", group=f"q{n}") for n in range(20)]
    both = StoreRow("both", label="A4C", group="g5")  # a patient of the given training cines, in the other store
    stores = {row.cine: row.cine[0] for row in ours} | {row.cine: "q" for row in (*others, both)}
    split, _ = make_split([*ours, *others, both], validation=0.2, test=0.2, store_of=stores)
    chosen = set(split.cines(part))
    assert {cine for cine in chosen if cine[0] == "g"} == {"g0", "g1"}
    assert len([cine for cine in chosen if cine[0] == "q"]) == 4
    assert "both" in split.cines("train")
    # In one store alone the given cines are all that there is of a part.
    assert make_split([*ours, *others], validation=0.2)[0].cines(part) == ("g0", "g1")


def test_cines_that_follow_their_patient_count_for_the_share_of_their_store():
    ours = [StoreRow(f"g{n}", label="A4C", group=f"g{n}", split="validation" if n < 3 else "train") for n in range(9)]
    theirs = [StoreRow(f"q{n}", label="A4C", group=f"g{n}" if n < 3 else f"q{n}") for n in range(20)]
    split, _ = make_split(
        [*ours, *theirs], validation=0.3, store_of={row.cine: row.cine[0] for row in (*ours, *theirs)}
    )
    assert sum(cine[0] == "q" for cine in split.cines("validation")) == 6


def test_a_store_of_one_patient_beside_one_with_a_given_split_trains():
    ours = [StoreRow(f"g{n}", label="A4C", group=f"g{n}", split="validation" if n < 2 else "train") for n in range(6)]
    split, _ = make_split([*ours, StoreRow("q", label="A4C", group="q")], store_of={"q": "other"})
    assert split.cines("validation") == ("g0", "g1")
    assert "q" in split.cines("train")


def test_a_given_split_that_leaks_is_refused():
    rows = [StoreRow("a", group="p", split="train"), StoreRow("b", group="p", split="test")]
    with pytest.raises(LeakError, match=r"patient p: 'a' in train, 'b' in test"):
        make_split(rows)


def test_patients_numbered_alike_in_two_stores_are_told_of_as_such():
    rows = [StoreRow("one/a", group="0", split="train"), StoreRow("two/a", group="0", split="test")]
    stores = {"one/a": "one", "two/a": "two"}
    advice = (
        r"(?s)patient 0: .*One patient id in two stores \(one, two\) counts as one person.*prepare one of them anew"
    )
    with pytest.raises(LeakError, match=advice) as caught:
        make_split(rows, store_of=stores)
    assert "Split again" not in str(caught.value)
    parted = Split((SplitRow("one/a", "train"), SplitRow("two/a", "validation")))
    with pytest.raises(LeakError, match=advice):
        check_leaks(parted, rows, store_of=stores)
    for cines, places in (
        (rows, dict.fromkeys(stores, "one")),
        ([StoreRow("one/a", group="0", sha256="x"), StoreRow("two/a", group="1", sha256="x")], stores),  # copies
    ):
        with pytest.raises(LeakError, match="Split again by patient"):
            check_leaks(parted, cines, store_of=places)


def test_copies_and_near_copies_stay_together():
    rows = [StoreRow(f"{n}", label="A4C", group=f"p{n}", sha256="same" if n < 2 else str(n)) for n in range(12)]
    split, _ = make_split(rows, folds=4, together=[("5", "6")])
    fold = {row.cine: row.fold for row in split.rows}
    assert fold["0"] == fold["1"]
    assert fold["5"] == fold["6"]


def test_the_leak_check_fails_loudly():
    rows = cohort(6)
    split, _ = make_split(rows, folds=2)
    check_leaks(split, rows)
    moved = Split((*(SplitRow(r.cine, r.part, 1 - r.fold) for r in split.rows[:1]), *split.rows[1:]))
    with pytest.raises(LeakError, match=r"(?s)patient p0: 'p0/c0' in fold.*too good"):
        check_leaks(moved, rows)
    with pytest.raises(DataError, match="other data"):
        check_leaks(split, [StoreRow("elsewhere")])


def test_soft_labels_are_spread():
    rng = np.random.default_rng(0)
    rows = [
        StoreRow(f"{n:03}", shares={"A2C": float(s), "A4C": float(1 - s)}, group=f"p{n}")
        for n, s in enumerate(rng.random(100))
    ]
    split, _ = make_split(rows, folds=4)
    by_fold = [sum(rows[int(c)].shares["A2C"] for c in split.cines("validation", k)) for k in range(4)]
    assert max(by_fold) - min(by_fold) < 1.5


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.builds(
            SplitRow,
            cine=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
            part=st.sampled_from(["train", "test"]),
            fold=st.none() | st.integers(0, 9),
            group=st.text(st.characters(exclude_categories=["Cs", "Cc"])),
        ),
        min_size=1,
        max_size=5,
        unique_by=lambda row: row.cine,
    )
)
def test_the_file_gives_the_split_back(tmp_path, rows):
    split = Split(tuple(sorted(rows, key=lambda row: row.cine)))
    split.save(tmp_path / "split.csv")
    assert Split.load(tmp_path / "split.csv") == split


def test_a_cine_that_a_spreadsheet_would_run_is_disarmed_and_comes_back(tmp_path):
    split = Split((SplitRow("=cmd|calc", "train", None, "-7", "@x"),))
    split.save(tmp_path / "split.csv")
    assert "'=cmd|calc,train,,'-7,'@x" in (tmp_path / "split.csv").read_text()
    assert Split.load(tmp_path / "split.csv") == split


def test_a_file_that_a_spreadsheet_saved_again(tmp_path):
    (tmp_path / "split.csv").write_text("\ufeffcine;part;fold;group;label\na, b;train;1;patient p;A4C\n;;;;\n")
    assert Split.load(tmp_path / "split.csv").rows == (SplitRow("a, b", "train", 1, "patient p", "A4C"),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no split file"),
        ("a,b\n1,2\n", "is no split file"),
        ("cine,part\n,\n", "is no split file"),
        ("cine,part\nx,exam\n", r"csv:2: cine 'x', part 'exam'"),
        ("cine,part,fold\nx,train,-1\n", "fold '-1'"),
        ("cine,part\nx,train\nx,test\n", "names a cine twice"),
    ],
)
def test_a_bad_file_is_named(tmp_path, text, says):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(DataError, match=says):
        Split.load(tmp_path / "split.csv")


@pytest.mark.parametrize("options", [{"folds": 1}, {"validation": 1.2}, {"test": 0.5, "validation": 0.5}])
def test_senseless_shares(options):
    with pytest.raises(UsageError):
        make_split(cohort(10), **options)


def test_parts_and_folds_are_asked_for_by_name():
    plain, _ = make_split(cohort(10))
    folded, _ = make_split(cohort(10), folds=2)
    for split, part, fold in [(plain, "dev", None), (plain, "train", 0), (folded, "train", None), (folded, "train", 2)]:
        with pytest.raises(UsageError):
            split.cines(part, fold)
    assert set(plain.counts()) == {"train", "validation"}
    assert set(folded.counts()) == {"fold 0", "fold 1"}


def test_too_few_patients():
    with pytest.raises(DataError, match="of 1 patient, which"):
        make_split(cohort(1), folds=2)


def test_patients_that_the_test_part_took_are_told() -> None:
    with pytest.raises(DataError, match="of 1 patient, beside 1 whose part is settled, which"):
        make_split(cohort(2), test=0.2, validation=0.2)
    with pytest.raises(UsageError, match="seed -1: use 0 or more"):
        make_split(cohort(9), seed=-1)


@pytest.mark.parametrize(
    ("patients", "says"),
    [(0, "there is no cine to split"), (1, "are of 1 patient, which cannot be dealt to 3 sides.*Ask for fewer folds")],
)
def test_too_few_patients_for_the_sides_are_told_what_to_do(patients: int, says: str) -> None:
    rows = [StoreRow(f"c{n}", label="A4C", group="p") for n in range(4 * patients)]
    with pytest.raises(DataError, match=says):
        make_split(rows, folds=3)
