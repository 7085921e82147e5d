"""Splits: disjoint, complete, reproducible, stratified, groups together, holdout the same with and without folds."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nephoscope.data.splits import SplitError, split_images


def split(ids, presence, groups=None, *, validation=0.2, holdout=0.2, folds=0, held_out=None, seed=0):
    groups = np.arange(len(ids)) if groups is None else np.asarray(groups)
    return split_images(
        ids,
        np.asarray(presence),
        groups,
        validation_share=validation,
        holdout_share=holdout,
        folds=folds,
        held_out=folds if held_out is None else held_out,
        seed=seed,
    )


@st.composite
def data_sets(draw, fewest=20):
    count = draw(st.integers(fewest, 80))
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    presence = rng.random((count, 3)) < rng.random(3)
    return [f"{seed}-{row}.jpg" for row in range(count)], presence, rng.integers(0, count, count)


shares = st.floats(0.05, 0.4)


@settings(max_examples=200)
@given(data_sets(fewest=3), st.floats(0.01, 0.98), st.floats(0.01, 0.98), st.integers(0, 5))
def test_no_split_is_empty(data, validation, rest, seed):
    ids, presence, _ = data
    splits = split(ids, presence, validation=validation, holdout=rest * (1 - validation), seed=seed)
    assert set(splits.split.tolist()) == {"train", "validation", "holdout"}
    assert (splits.fold == -1).all()


@settings(max_examples=60)
@given(data_sets(), shares, shares, st.integers(0, 5))
def test_the_shares_are_kept_to_within_an_image(data, validation, holdout, seed):
    ids, presence, _ = data
    counts = Counter(split(ids, presence, validation=validation, holdout=holdout, seed=seed).split.tolist())
    assert abs(counts["holdout"] - holdout * len(ids)) <= 1
    assert abs(counts["validation"] - validation * len(ids)) <= 1.5


@settings(max_examples=60)
@given(data_sets(), st.integers(0, 3), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(data, seed, random):
    ids, presence, groups = data
    order = random.sample(range(len(ids)), len(ids))
    straight = split(ids, presence, groups, seed=seed)
    shuffled = split([ids[row] for row in order], presence[order], groups[order], seed=seed)
    assert shuffled.split.tolist() == straight.split[order].tolist()


@settings(max_examples=60)
@given(data_sets(), st.sampled_from([0, 2, 5]))
def test_groups_stay_together(data, folds):
    ids, presence, groups = data
    splits = split(ids, presence, groups, folds=folds)
    places = list(zip(splits.split.tolist(), splits.fold.tolist(), strict=True))
    for group in set(groups.tolist()):
        assert len({places[row] for row in np.flatnonzero(groups == group)}) == 1


@settings(max_examples=60)
@given(data_sets(), st.integers(2, 5), st.integers(1, 4))
def test_folds_do_not_depend_on_the_number_held_out(data, folds, held_out):
    ids, presence, groups = data
    complete, partial = (
        split(ids, presence, groups, folds=folds, held_out=count) for count in (folds, min(held_out, folds))
    )
    np.testing.assert_array_equal(partial.split, complete.split)
    np.testing.assert_array_equal(partial.fold, np.where(complete.fold < held_out, complete.fold, -1))


@settings(max_examples=60)
@given(data_sets(), st.integers(2, 5))
def test_the_holdout_does_not_depend_on_folds(data, folds):
    ids, presence, groups = data
    plain, folded = split(ids, presence, groups), split(ids, presence, groups, folds=folds)
    np.testing.assert_array_equal(plain.split == "holdout", folded.split == "holdout")
    pool = folded.split != "holdout"
    assert set(folded.split[pool]) == {"train"}
    assert set(folded.fold[pool].tolist()) == set(range(folds))
    assert (folded.fold[~pool] == -1).all()


@settings(max_examples=60)
@given(data_sets(), shares)
def test_every_presence_pattern_is_divided_in_the_same_shares(data, holdout):
    ids, presence, _ = data
    held_out = split(ids, presence, holdout=holdout).split == "holdout"
    patterns = presence @ [1, 2, 4]
    for pattern in set(patterns.tolist()):
        same = patterns == pattern
        assert abs(held_out[same].sum() - holdout * same.sum()) <= 1.5


def test_one_group_per_split_is_enough():
    splits = split([f"{row}.jpg" for row in range(12)], np.zeros((12, 1), bool), [0] * 10 + [1, 2])
    assert set(splits.split.tolist()) == {"train", "validation", "holdout"}


def test_the_seed_changes_the_splits():
    ids, presence = [f"{row}.jpg" for row in range(100)], np.zeros((100, 2), bool)
    assert (split(ids, presence, seed=0).split != split(ids, presence, seed=1).split).any()


@pytest.mark.parametrize("share", [0.02, 0.125, 0.4])
def test_no_split_of_eight_images_is_empty(share):
    splits = split([f"{row}.jpg" for row in range(8)], np.eye(8, 4, dtype=bool), validation=share, holdout=share)
    assert set(splits.split.tolist()) == {"train", "validation", "holdout"}


def test_train_is_not_empty_if_the_holdout_is_rounded_up():
    splits = split([f"{row}.jpg" for row in range(4)], np.zeros((4, 1), bool), validation=0.5, holdout=0.4)
    assert sorted(splits.split.tolist()) == ["holdout", "holdout", "train", "validation"]


def test_a_share_of_zero_gives_an_empty_split():
    splits = split([f"{row}.jpg" for row in range(8)], np.zeros((8, 1), bool), validation=0, holdout=0)
    assert set(splits.split.tolist()) == {"train"}


def test_too_few_images_are_refused_with_the_missing_splits():
    with pytest.raises(
        SplitError, match=r"1 labelled image\(s\) in 1 group\(s\) .* holdout, train and validation, which need 3"
    ):
        split(["a.jpg"], [[True]])
    with pytest.raises(SplitError, match=r"9 labelled image\(s\) in 1 group"):
        split([f"{row}.jpg" for row in range(9)], np.ones((9, 1), bool), np.zeros(9, int))
    with pytest.raises(SplitError, match=r"too few for fold 0, fold 1, fold 2, which need 3 groups"):
        split([f"{row}.jpg" for row in range(3)], np.ones((3, 1), bool), folds=3)
