# ruff: noqa: E402 (torch is an extra)
from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from echoplane.data.augment import AUGMENTS
from echoplane.data.augment_style import Style
from echoplane.data.augment_time import Time
from echoplane.data.dataset import ClipDataset, ClipSampler, loader, normalise
from echoplane.errors import DataError
from echoplane.sampling import SamplingRule, plan
from echoplane.sampling.clips import without_empty
from echoplane.store import StoreReader, StoreRow, StoreWriter

RULE = SamplingRule(kind="every_kth", frames=4, step=2, max_clips=100, short="refuse")
VIEWS = ("A2C", "A4C")


def write(path, count, *, first=0, frames=20):
    with StoreWriter(path, recipe={}, views=VIEWS, height=32, width=28) as writer:
        for n in range(first, first + count):
            t = frames + n
            clip = np.random.default_rng(n).integers(0, 256, (t, 32, 28), np.uint8)
            clip[:, 0, 0] = np.arange(t)  # the frame number, to see which frames came
            clip[:, 0, 1] = n
            writer.append(clip, StoreRow(f"c{n:02}", label=VIEWS[n % 4 == 0], group=f"p{n // 2}", fps=30.0))
    return StoreReader(path)


@pytest.fixture
def store(tmp_path):
    return write(tmp_path / "s", 10)


def all_of(dataset, workers=0, batch=3, sampler=None):
    batches = list(loader(dataset, batch, workers=workers, sampler=sampler))
    return {name: torch.cat([b[name] for b in batches]) for name in batches[0]}


def test_without_augmentation_the_clips_are_the_planned_ones(store):
    dataset = ClipDataset(store, VIEWS, rule=RULE)
    got = all_of(dataset)
    assert got["clip"].dtype == torch.uint8
    assert got["clip"].shape == (len(dataset), 1, 4, 32, 28)
    # 20 to 29 frames: floor(T / 8) windows of 8 frames, two clips each.
    assert len(dataset) == sum(2 * ((20 + n) // 8) for n in range(10))
    assert got["clip"][0, 0, :, 0, 0].tolist() == [0, 2, 4, 6]
    assert got["clip"][1, 0, :, 0, 0].tolist() == [1, 3, 5, 7]
    for k, item in enumerate(dataset.items):
        assert got["clip"][k, 0, 0, 0, 1] == item.row
        assert got["target"][k].tolist() == [float(item.row % 4 != 0), float(item.row % 4 == 0)]
    assert dataset.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("per_cine", [None, 3])
def test_a_clip_depends_on_seed_epoch_and_index_alone(store, per_cine):
    def make(seed=5):
        return ClipDataset(store, VIEWS, rule=RULE, per_cine=per_cine, augment=AUGMENTS["strong"], seed=seed)

    one, two = make(), make()
    order = np.random.default_rng(0).permutation(len(one))
    shuffled = {int(i): two[int(i)]["clip"] for i in order}
    for i in range(len(one)):
        assert torch.equal(one[i]["clip"], shuffled[i])
    assert not torch.equal(all_of(make(6))["clip"], all_of(one)["clip"])
    later = torch.stack([one[i + len(one)]["clip"] for i in range(len(one))])
    assert not torch.equal(later, all_of(one)["clip"])


@pytest.mark.slow
def test_workers_do_not_change_anything(store):
    dataset = ClipDataset(store, VIEWS, rule=RULE, per_cine=2, augment=AUGMENTS["default"], seed=1)
    sampler = ClipSampler(dataset, seed=3)
    with_workers = loader(dataset, 4, workers=2, sampler=sampler)
    for epoch in range(2):  # the workers live on, and still see the epoch
        sampler.set_epoch(epoch)
        plain = all_of(dataset, sampler=sampler, batch=4)
        other = torch.cat([b["clip"] for b in with_workers])
        assert torch.equal(plain["clip"], other)


def test_random_clips_lie_anywhere_in_the_cine(store):
    dataset = ClipDataset(store, VIEWS, rule=RULE, per_cine=1, seed=0)
    starts = set()
    for epoch in range(200):
        frames = dataset[epoch * len(dataset)]["clip"][0, :, 0, 0].tolist()
        assert np.diff(frames).tolist() == [2, 2, 2]
        starts.add(frames[0])
    assert starts == set(range(20 - 6))


def darkened(path, dark):
    """Five cines of 20 to 24 frames, of which some are black."""
    with StoreWriter(path, recipe={}, views=VIEWS, height=32, width=28) as writer:
        for n in range(5):
            clip = np.random.default_rng(n).integers(100, 256, (20 + n, 32, 28), np.uint8)
            clip[dark] = 0
            writer.append(clip, StoreRow(f"c{n:02}", label=VIEWS[n % 2], group=f"p{n}", fps=30.0))
    return StoreReader(path)


@pytest.mark.parametrize("dark", [slice(0, 5), slice(-5, None)])
@pytest.mark.parametrize("augment", [None, replace(AUGMENTS["none"], time=Time(p=1.0, speed=(0.5, 1.5)))])
def test_random_clips_keep_out_of_black_before_and_behind_the_picture(tmp_path, dark, augment):
    dataset = ClipDataset(darkened(tmp_path / "s", dark), VIEWS, rule=RULE, per_cine=1, augment=augment)
    for index in range(40 * len(dataset)):
        assert (dataset.clip(index).mean(axis=(1, 2)) > 50).all()


@pytest.mark.parametrize("dark", [slice(0, 5), slice(9, 10), slice(-5, None)])
def test_planned_clips_are_those_of_prediction(tmp_path, dark):
    store = darkened(tmp_path / "s", dark)
    dataset = ClipDataset(store, VIEWS, rule=RULE)
    for n, row in enumerate(store.rows):
        planned = plan(row.n_frames, row.fps, RULE)
        wanted = without_empty(store.frames(n, np.array(planned.needed)), planned.needed, planned)
        np.testing.assert_array_equal(dataset.table.plans[n].indices, wanted.indices)
    assert len(dataset) < sum(len(plan(row.n_frames, row.fps, RULE).indices) for row in store.rows)
    assert all((dataset.clip(index).mean(axis=(1, 2)) > 50).all() for index in range(len(dataset)))


def test_a_cine_whose_picture_is_shorter_than_a_clip_is_used_as_it_is(tmp_path):
    dataset = ClipDataset(
        darkened(tmp_path / "s", slice(0, 16)), VIEWS, rule=RULE, per_cine=1, augment=AUGMENTS["light"]
    )
    assert dataset.clip(0).shape == (4, 32, 28)
    # The last has room for two clips behind the black.
    assert len(ClipDataset(StoreReader(tmp_path / "s"), VIEWS, rule=RULE)) == 4 * 4 + 2


def test_what_is_not_used_is_said(store):
    rule = SamplingRule(kind="every_kth", frames=4, step=6, short="refuse")
    dataset = ClipDataset(store, ("A4C",), rule=rule)
    reasons = dict(dataset.skipped)
    assert len(reasons) + len(dataset.rows) == 10
    assert "20 frames" in reasons["c00"]
    assert "'A2C' is not among the views" in reasons["c05"]
    assert {row.cine for row in dataset.rows} == {"c04", "c08"}
    everything = ClipDataset(store, ("A4C",), rule=RULE, labelled=False)
    assert everything.targets.sum() == 3


def test_cines_by_name_and_several_stores(store, tmp_path):
    other = write(tmp_path / "t", 3, first=20)
    dataset = ClipDataset([other, store], VIEWS, rule=RULE, cines=["c21", "c03"])
    assert [row.cine for row in dataset.rows] == ["c03", "c21"]
    assert dataset[len(dataset) - 1]["clip"][0, 0, 0, 1] == 21
    with pytest.raises(DataError, match=r"1 cines of the split .* 'zz'"):
        ClipDataset(store, VIEWS, rule=RULE, cines=["c03", "zz"])
    with pytest.raises(DataError, match="same cine"):
        ClipDataset([store, store], VIEWS, rule=RULE)
    with pytest.raises(DataError, match="no cine is left"):
        ClipDataset(store, ("PLAX",), rule=RULE)


def test_weights_by_view(store):
    got = all_of(ClipDataset(store, VIEWS, rule=RULE, weights={"A4C": 2.5}))
    assert torch.equal(got["weight"], torch.where(got["target"][:, 1] == 1, 2.5, 1.0))


def test_a_batch_says_which_clips_were_mirrored(store):
    flips = replace(AUGMENTS["none"], geometry=replace(AUGMENTS["none"].geometry, flip_p=0.5))
    plain, half = (ClipDataset(store, VIEWS, rule=RULE, augment=a, seed=4) for a in (AUGMENTS["none"], flips))
    turned = ClipDataset(
        store, VIEWS, rule=RULE, augment=replace(flips, geometry=replace(flips.geometry, flip_p=1.0)), seed=4
    )
    straight, mixed, exchanged = all_of(plain), all_of(half), all_of(turned)
    assert not straight["mirrored"].any()
    assert exchanged["mirrored"].all()
    assert 0 < mixed["mirrored"].sum() < len(mixed["mirrored"])
    assert torch.equal(exchanged["clip"], straight["clip"].flip(-1))
    expected = torch.where(mixed["mirrored"][:, None, None, None, None], exchanged["clip"], straight["clip"])
    assert torch.equal(mixed["clip"], expected)
    assert not all_of(ClipDataset(store, VIEWS, rule=RULE))["mirrored"].any()


def test_a_cine_mirrored_to_begin_with_turned_around_is_not_mirrored(tmp_path):
    with StoreWriter(tmp_path / "m", recipe={}, views=VIEWS, height=32, width=28) as writer:
        clip = np.random.default_rng(0).integers(0, 256, (20, 32, 28), np.uint8)
        writer.append(clip, StoreRow("c", label="A4C", group="p", fps=30.0, extra={"mirrored": True}))
    flip = replace(AUGMENTS["none"], geometry=replace(AUGMENTS["none"].geometry, flip_p=1.0))
    for augment, expected in ((None, True), (AUGMENTS["none"], True), (flip, False)):
        found = all_of(ClipDataset(StoreReader(tmp_path / "m"), VIEWS, rule=RULE, augment=augment))
        assert (found["mirrored"] == expected).all()


def test_a_balanced_epoch(store):
    dataset = ClipDataset(store, VIEWS, rule=RULE, per_cine=40)

    def share(balance):
        sampler = ClipSampler(dataset, balance=balance)
        counts = Counter(int(dataset.targets[dataset.items[i % len(dataset)].row].argmax()) for i in sampler)
        return counts[1] / len(dataset)

    assert share(0) == 0.3
    assert share(1) == pytest.approx(0.5, abs=0.08)
    assert 0.3 < share(0.5) < 0.48


def test_a_clip_that_comes_again_is_another_one(store):
    dataset = ClipDataset(store, VIEWS, rule=RULE, per_cine=1, augment=AUGMENTS["strong"])
    sampler = ClipSampler(dataset, balance=1.0)
    first = list(sampler)
    again = [item for item, count in Counter(index % len(dataset) for index in first).items() if count > 1]
    assert again
    for item in again:
        one, two = [dataset.clip(index) for index in first if index % len(dataset) == item][:2]
        assert not np.array_equal(one, two)
    sampler.set_epoch(1)
    assert not {*first} & {*sampler}


def test_a_view_too_rare_to_be_balanced_is_said(store, monkeypatch):
    monkeypatch.setattr("echoplane.data.epochs.MOST_REPEATS", 1)
    with pytest.raises(DataError, match=r"2 times in an epoch of 10, and 1 are the most.*smaller balance"):
        list(ClipSampler(ClipDataset(store, VIEWS, rule=RULE, per_cine=1), balance=1.0))


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_processes_share_an_epoch(store, balance):
    dataset = ClipDataset(store, VIEWS, rule=RULE, per_cine=3)
    one = ClipSampler(dataset, balance=balance)
    parts = [ClipSampler(dataset, balance=balance, rank=rank, world=4) for rank in range(4)]
    for sampler in (one, *parts):
        sampler.set_epoch(2)
    lists = [list(part) for part in parts]
    assert {len(part) for part in lists} == {len(parts[0])} == {8}
    mixed = [index for step in zip(*lists, strict=True) for index in step]
    assert mixed[: len(dataset)] == list(one)
    assert min(mixed) >= 2 * len(dataset)


def test_an_unshuffled_sampler_keeps_the_order(store):
    dataset = ClipDataset(store, VIEWS, rule=RULE)
    assert list(ClipSampler(dataset, shuffle=False)) == list(range(len(dataset)))


def test_normalise_agrees_with_the_recipe():
    from echoplane.prepare import recipe_named

    recipe = recipe_named("reference")
    grey = np.arange(256, dtype=np.uint8)
    ours = normalise(torch.from_numpy(grey), recipe.mean, recipe.std).numpy()
    np.testing.assert_allclose(ours, recipe.normalise(grey), atol=1e-6)


def test_looks_come_from_another_store(tmp_path, monkeypatch):
    stores = [write(tmp_path / "a", 4), write(tmp_path / "b", 6, first=4)]
    style = replace(AUGMENTS["none"], style=Style(p=1.0))
    asked = []
    monkeypatch.setattr("echoplane.data.augment.restyle", lambda clip, drawn, fan, example, _: asked.append(
        (int(clip[0, 0, 1]), int(example[0, 1]))) or clip)  # fmt: skip

    def pairs(stores):
        asked.clear()
        all_of(ClipDataset(stores, VIEWS, rule=RULE, per_cine=8, augment=style, seed=2))
        return list(asked)

    got = pairs(stores)
    assert len(got) == 80
    assert all((mine < 4) != (theirs < 4) for mine, theirs in got)
    assert {theirs for _, theirs in got} == set(range(10))
    assert got == pairs(stores)
    assert pairs(stores[0]) == []  # one store: nobody else to look like
    for dataset in (
        ClipDataset(some, VIEWS, rule=RULE, per_cine=8, augment=style, seed=2) for some in (stores, stores[0])
    ):
        asked.clear()
        all_of(dataset)
        here = list(asked)
        asked.clear()
        all_of(pickle.loads(pickle.dumps(dataset)))  # as a worker process gets it
        assert asked == here
