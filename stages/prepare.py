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
from nephoscope.data.formats import FORMATS
from nephoscope.data.manifest import Manifest
from nephoscope.data.problems import record_problems
from nephoscope.data.profile import summarise
from nephoscope.data.source import read_source
from nephoscope.data.splits import group_duplicates, split_images
from nephoscope.data.truth import Truth, write_truth
from nephoscope.figures.data_profile import write_profile
from nephoscope.files import atomic_write
from nephoscope.settings.data import Prepare
from nephoscope.settings.params import Params


def main(params: Prepare, artifacts: Artifacts) -> None:
    folder, data_format = artifacts.prepare, FORMATS[params.format]
    metadata = make_metadata(data_format, params.cache_shape, params.held_out)
    # Removed first and completed last: a manifest on disk always belongs to the files beside it.
    shutil.rmtree(folder.manifest, ignore_errors=True)

    with record_problems(folder.problems) as problems, atomic_write(folder.cache) as unfinished:
        source = read_source(params.root, data_format, problems)
        records = fill_cache(unfinished, source, data_format, params.cache_shape, problems)
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


if __name__ == "__main__":
    main(Params.load().prepare, Artifacts())
