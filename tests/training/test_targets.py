import numpy as np
import pytest

from echoplane.errors import ConfigError, DataError
from echoplane.store import StoreRow
from echoplane.training.targets import (
    check_labels,
    check_views,
    hard_labels,
    make_targets,
    soften_levels,
    views_in_use,
    views_shown,
)

VIEWS = ("A4C", "PSAX-MV", "PSAX-PM", "PSAX-AP", "other")
LEVELS = ("PSAX-MV", "PSAX-PM", "PSAX-AP")


def row(label: str = "", **shares: float) -> StoreRow:
    return StoreRow("c", label=label, shares={name.replace("_", "-"): share for name, share in shares.items()})


def test_labels_become_views_sets_shares_or_nothing() -> None:
    labels = {"PLAX": "other", "PSAX": LEVELS, "A5C": {"A4C": 1.0, "other": 3.0}, "SC4C": ""}
    rows = [row("A4C"), row("PLAX"), row("PSAX"), row("A5C"), row("SC4C"), row()]
    targets = make_targets(rows, VIEWS, labels)
    expected = [
        [1, 0, 0, 0, 0], [0, 0, 0, 0, 1], [0, 1, 1, 1, 0], [0.25, 0, 0, 0, 0.75], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0],
    ]  # fmt: skip
    np.testing.assert_allclose(targets, expected)
    np.testing.assert_array_equal(hard_labels(targets), [0, 4, -1, 4, -1, -1])


def test_shares_of_a_store_go_through_the_table_too() -> None:
    rows = [row(PSAX_MV=0.5, PLAX=0.5), row(A4C=0.4, SC4C=0.6)]
    targets = make_targets(rows, VIEWS, {"PLAX": "other", "SC4C": ""})
    np.testing.assert_allclose(targets, [[0, 0.5, 0, 0, 0.5], [1, 0, 0, 0, 0]])


def test_a_share_of_nothing_is_no_label() -> None:
    np.testing.assert_allclose(make_targets([row(A4C=1.0, A2C=0.0)], VIEWS, {}), [[1, 0, 0, 0, 0]])


def test_what_cines_show_is_said_of_labels_that_nobody_knows_too() -> None:
    labels = {"PLAX": "other", "PSAX": LEVELS, "A5C": {"A4C": 0.4, "other": 0.6}, "SC4C": ""}
    rows = [row("A5C"), row("PSAX"), row("SC4C"), row(), row("X"), row(X=0.6, A4C=0.4), row(X=0.4, A4C=0.6)]
    assert views_shown(rows, VIEWS, labels) == [
        (4, ""),
        (-1, "label 'PSAX' may be one of several views"),
        (-1, "label 'SC4C' was left out of the training"),
        (-1, "no label"),
        (-1, "label 'X' is not in the vocabulary"),
        (-1, "label 'X' is not in the vocabulary"),
        (0, ""),
    ]
    # Shares of one view count together, whatever it is called: more than half is `other`.
    parts = row(PSAX_MV=0.4, A2C=0.35, PLAX=0.25)
    assert views_shown([parts], VIEWS, {"A2C": "other", "PLAX": "other"}) == [(4, "")]


def test_equal_shares_are_no_truth_whichever_view_stands_first() -> None:
    labels = {"A5C": {"A4C": 0.5, "other": 0.5}}
    rows = [row("A5C"), row(PSAX_MV=0.1, PSAX_PM=0.3, A4C=0.3, PSAX_AP=0.3), row(A4C=0.51, other=0.49)]
    targets = make_targets(rows, VIEWS, labels)
    np.testing.assert_allclose(targets[0], [0.5, 0, 0, 0, 0.5])  # trained on as it says
    np.testing.assert_array_equal(hard_labels(targets), [-1, -1, 0])
    np.testing.assert_array_equal(hard_labels(targets[:, ::-1]), [-1, -1, 4])
    assert hard_labels(np.zeros((0, 5), np.float32)).shape == (0,)
    assert views_shown(rows, VIEWS, labels)[0] == (-1, "label 'A5C' shows several views in equal shares")


def test_unknown_labels_are_listed_with_counts_and_suggestions() -> None:
    with pytest.raises(DataError, match=r"'PSAXPM' \(2 cines; did you mean 'PSAX-PM'\?\), 'X' \(1 cines\)"):
        make_targets([row("PSAXPM"), row("PSAXPM"), row("X")], VIEWS, {})


def test_a_view_that_is_not_wanted_is_no_misspelling_of_another() -> None:
    with pytest.raises(DataError, match=r"'A3C' \(1 cines\), 'psax pm' \(1 cines; did you mean 'PSAX-PM'\?\)"):
        make_targets([row("A3C"), row("psax pm")], VIEWS, {})


@pytest.mark.parametrize(
    ("views", "labels", "message"),
    [
        (("A4C",), {}, "two labels or more"),
        (("A4C", "A4C"), {}, "each once"),
        (VIEWS, {"PLAX": "othr"}, r"labels\.PLAX: 'othr' is not among views .*did you mean 'other'"),
        (VIEWS, {"PSAX": ("PSAX-MV", "PSAX-AV")}, r"labels\.PSAX: 'PSAX-AV'"),
    ],
)
def test_tables_that_lead_nowhere_are_refused(views: tuple[str, ...], labels: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_labels(views, labels)


@pytest.mark.parametrize("odd", ["_rest", "-", "A4C=A2C", "A4C\n", " A4C", ""])
def test_views_that_no_bundle_takes_are_refused(odd: str) -> None:
    check_views(("A4C", "Vierkammer 2", "4CH"))
    with pytest.raises(ConfigError, match=r"no bundle could hold .* a label begins with a letter or a digit.*'views:'"):
        check_views(("A4C", odd))


@pytest.mark.parametrize("odd", ["Other", "OTHER"])
def test_other_in_another_spelling_is_refused(odd: str) -> None:
    with pytest.raises(ConfigError, match=rf"'{odd}' would be a view.*is called 'other'\. Write that, and \"{odd}: o"):
        check_views(("A4C", odd))
    check_views(("A4C", "other"))


def test_views_that_neither_cines_nor_the_table_name_are_parted_from_the_others() -> None:
    rows = [row("A4C"), row("PLAX"), row(PSAX_MV=0.5, PSAX_PM=0.5, A3C=0.0)]
    views = ("A3C", "A4C", "PLAX", "PSAX-MV", "PSAX-PM", "DOPPLER", "other")
    assert views_in_use(views, rows, {}) == (("A4C", "PLAX", "PSAX-MV", "PSAX-PM"), ("A3C", "DOPPLER", "other"))
    used, unseen = views_in_use(views, rows, {"PLAX": "other", "A4C": ("A4C", "A3C")})
    assert used == ("A3C", "A4C", "PSAX-MV", "PSAX-PM", "other")
    assert unseen == ("PLAX", "DOPPLER")


def test_labels_that_are_no_views_may_have_any_name() -> None:
    assert views_shown([row("_rest")], VIEWS, {}) == [(-1, "label '_rest' is not in the vocabulary")]
    assert views_shown([row("_rest")], VIEWS, {"_rest": "other"}) == [(4, "")]


def test_levels_blend_into_their_neighbours_only() -> None:
    targets = np.concatenate([np.eye(5), [[0, 1, 1, 1, 0]]]).astype(np.float32)
    soft = soften_levels(targets, VIEWS, 0.2)
    np.testing.assert_allclose(
        soft,
        [
            [1, 0, 0, 0, 0],
            [0, 0.8, 0.2, 0, 0],
            [0, 0.1, 0.8, 0.1, 0],
            [0, 0, 0.2, 0.8, 0],
            [0, 0, 0, 0, 1],
            [0, 1, 1, 1, 0],
        ],
        atol=1e-6,
    )
    np.testing.assert_array_equal(soften_levels(targets, VIEWS, 0.0), targets)


def test_levels_that_are_not_neighbours_do_not_blend() -> None:
    views = ("PSAX-MV", "PSAX-AP")
    np.testing.assert_array_equal(soften_levels(np.eye(2, dtype=np.float32), views, 0.3), np.eye(2))
