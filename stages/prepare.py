"""Prepare: a data set in, its manifest with splits, a cache of resized images and a data profile out."""

import shutil

from nephoscope.artifacts import Artifacts
from nephoscope.data.assemble import (
    add_split_digest,
    add_splits,
    describe_images,
    make_metadata,
    truth_rows,
    usable_rows,
)
from nephoscope.data.cache import Cache, fill_cache
from nephoscope.data.manifest import Manifest
from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.own_source import choose_cache_shape, open_source
from nephoscope.data.problems import record_problems
from nephoscope.data.profile import summarise
from nephoscope.data.splits import group_duplicates, split_images
from nephoscope.data.truth import Truth, write_truth
from nephoscope.figures.data_profile import write_profile
from nephoscope.files import atomic_write
from nephoscope.settings.data import Prepare
from nephoscope.settings.params import Params


def main(params: Prepare, artifacts: Artifacts) -> None:
    folder = artifacts.prepare
    # Removed first and completed last: a manifest on disk always belongs to the files beside it.
    shutil.rmtree(folder.manifest, ignore_errors=True)

    with record_problems(folder.problems) as problems, atomic_write(folder.cache) as unfinished:
        source = open_source(params.root, params.format, _options(params), problems)
        metadata = make_metadata(
            source.data_format, choose_cache_shape(source.data_format, params.cache_shape), params.held_out
        )
        records = fill_cache(unfinished, source, metadata.cache_shape, problems)
        rows = usable_rows(source, problems, params.problems)
        Cache.keep(unfinished, rows)
    cache = Cache.open(folder.cache)
    kept = [records[row] for row in rows]

    images = describe_images(source.images.iloc[rows], kept, metadata.classes)
    labelled = images[images["labelled"]]
    groups = group_duplicates(cache.images[: len(labelled)], params.duplicate_distance)
    splits = split_images(
        labelled["image_id"].tolist(),
        labelled[[f"area_{name}" for name in metadata.classes]].to_numpy() > 0,
        groups,
        validation_share=params.validation_share,
        holdout_share=params.holdout_share,
        folds=params.folds,
        held_out=params.held_out,
        seed=params.seed,
    )
    images = add_splits(images, splits, groups)
    manifest = Manifest(add_split_digest(metadata, images), images)

    write_truth(truth_rows(kept), folder.truth)
    write_profile(folder.profile, manifest, Truth.load(folder.truth, metadata), cache, groups, params.root)
    manifest.save(folder.manifest)
    print(summarise(manifest, groups, problems, source.file_count))
    if source.note:
        print(source.note)


def _options(params: Prepare) -> OwnOptions:
    return OwnOptions(
        params.labels, params.classes, params.label_shape, params.output_shape, params.nodata, params.ground_size
    )


if __name__ == "__main__":
    main(Params.load().prepare, Artifacts())
