"""Data sets with classes of their own through all stages, the command line, the report and the app."""

import shutil
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
import pandas as pd
import pytest
from pycocotools.coco import COCO

import nephoscope
from nephoscope.app.options import Bounds
from nephoscope.app.sessions import PictureStore
from nephoscope.app.state import Pool, open_state
from nephoscope.artifacts import Artifacts
from nephoscope.batch.predict import predict_pictures
from nephoscope.data.cache import Cache
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.data.own_labels import OwnOptions
from nephoscope.data.own_source import open_source
from nephoscope.files import read_json, write_json
from nephoscope.masks.geometry import from_planes
from nephoscope.rules.rules import read_rules
from nephoscope.settings.params import Params
from tests.builders.app_requests import upload
from tests.builders.app_server import running
from tests.builders.browser import open_browser, open_page
from tests.builders.own_datasets import THREE, TWELVE, write_own
from tests.builders.pipeline_run import run_after_training, run_until_trained, tiny_params

RUNS = {"boxes": THREE, "masks": TWELVE}
BOUNDS = Bounds(max_megabytes=1, per_visitor=3, in_all=50, waiting=16)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own data")]


def own_params(artifacts: Artifacts, dataset: Path, name: str) -> Params:
    """The smallest settings. `synthesize` is not needed, and not run."""
    content = tiny_params(artifacts.root).model_dump()
    content["prepare"] |= {"root": dataset, "format": name, "classes": RUNS[name], "output_shape": (80, 120)}
    content["prepare"] |= {"ground_size": (8.0, 12.0)}
    content["explain"] |= {"worst": 1}
    return Params.model_validate(content)


@pytest.fixture(scope="module", params=RUNS)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Artifacts]:
    """Format, data set and a finished run."""
    name, root = str(request.param), tmp_path_factory.mktemp("own")
    dataset, artifacts = root / "data", Artifacts(root / "artifacts")
    write_own(dataset, name, RUNS[name])
    params = own_params(artifacts, dataset, name)
    run_until_trained(params, artifacts, synthesize=False)
    run_after_training(params, artifacts)
    return name, dataset, artifacts


def test_the_metadata_travel_to_the_model_folder(run: tuple[str, Path, Artifacts]) -> None:
    name, _, artifacts = run
    classes = RUNS[name]
    manifest = Manifest.load(artifacts.prepare.manifest)
    shipped = Metadata.from_dict(read_json(artifacts.export.model / "model.json")["data"])
    assert shipped == manifest.metadata
    assert (shipped.format, shipped.classes, shipped.ground_size) == (name, classes, (8.0, 12.0))
    assert shipped.nodata == (name == "boxes")
    cache = Cache.open(artifacts.prepare.cache)
    assert cache.truth.dtype == (np.uint8 if len(classes) <= 8 else np.int32)
    shown = from_planes(cache.truth, len(classes)).any(axis=(2, 3))
    assert np.array_equal(shown, manifest.presence())
    assert shown.any(axis=0).all()


def test_tables_and_submission_have_every_class(run: tuple[str, Path, Artifacts]) -> None:
    name, _, artifacts = run
    submission = pd.read_csv(artifacts.submit.submission, dtype=str, keep_default_na=False)
    assert list(submission.columns) == ["image_id", "class_name", "rle"]
    assert submission["class_name"].tolist() == [*RUNS[name]] * 2
    dice = pd.read_csv(artifacts.evaluate.tables / "dice.csv", dtype=str, keep_default_na=False)
    assert dice["class_name"].iloc[: len(RUNS[name]) + 1].tolist() == ["mean", *RUNS[name]]


def test_the_report_shows_every_class_in_its_colour(run: tuple[str, Path, Artifacts]) -> None:
    name, _, artifacts = run
    with open_browser() as browser, open_page(browser, artifacts.report.page) as page:
        cards = page.locator(".cards li")
        assert [text.split("\n")[0] for text in cards.all_inner_texts()] == list(RUNS[name])
        colours = cards.evaluate_all("cards => cards.map(card => getComputedStyle(card).borderTopColor)")
        assert len(set(colours)) == len(RUNS[name])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "long names make the page too wide"


def test_predictions_have_every_class_and_their_masks_can_be_learnt_from(
    run: tuple[str, Path, Artifacts], tmp_path: Path
) -> None:
    name, dataset, artifacts = run
    images = sorted(map(str, (dataset / "train_images").iterdir()))
    outputs = ("submission", "masks", "overlays", "geojson", "coco")
    model = Path(shutil.copytree(artifacts.export.model, tmp_path / "model"))
    rules = read_rules(model / "rules.json")
    lenient = {"presence_threshold": 0.0, "pixel_threshold": 120, "min_area": 0}  # networks that learnt nothing say 128
    rules = rules.model_copy(update={"rules": tuple(rule.model_copy(update=lenient) for rule in rules.rules)})
    write_json(model / "rules.json", rules.model_dump())
    done = predict_pictures(images, model, str(tmp_path / "out"), engine="torch", outputs=outputs)
    assert done.readable_count == len(images)
    assert any((tmp_path / "out/masks").iterdir())
    masks = {record.image_id: dict(zip(RUNS[name], record.rles, strict=True)) for record in done.records()}
    written = COCO(tmp_path / "out/coco.json")
    assert [category["name"] for category in written.loadCats(written.getCatIds())] == list(RUNS[name])
    (tmp_path / "out/train_images").symlink_to(dataset / "train_images")
    (tmp_path / "out/annotations.json").symlink_to(tmp_path / "out/coco.json")
    for reader in ("masks", "coco"):
        source = open_source(tmp_path / "out", reader, OwnOptions(output_shape=(80, 120)), [])
        for image_id, rles in masks.items():
            annotation = source.annotations.get(image_id)
            path = dataset / "train_images" / image_id
            drawn = dict(annotation.draw(path, np.zeros((64, 96, 3), np.uint8))) if annotation else {}
            encoded = {class_name: nephoscope.encode_rle(mask) for class_name, mask in drawn.items()}
            assert {name: rle for name, rle in encoded.items() if rle} == {
                name: rle for name, rle in rles.items() if rle
            }
    assert len(list((tmp_path / "out/overlays").iterdir())) == len(images)


def test_python_and_the_app_know_the_classes(run: tuple[str, Path, Artifacts]) -> None:
    name, dataset, artifacts = run
    picture = dataset / "train_images/scene 00.png"
    model = nephoscope.load(artifacts.export.model, engine="torch")
    assert tuple(model.predict(picture).to_rle()) == RUNS[name]
    state = open_state(None, "torch", BOUNDS, run=artifacts.root, dataset=dataset)
    fresh = replace(state, store=PictureStore(3, 50), pool=Pool(2, 16))
    with running(fresh) as address, httpx2.Client(base_url=address, timeout=60) as client:
        page = client.get("/api/state").json()
        assert [entry["class_name"] for entry in page["classes"]] == list(RUNS[name])
        assert len({entry["colour"] for entry in page["classes"]}) == len(RUNS[name])
        key = upload(client, picture)
        rules = [{"presence_threshold": 0.0, "pixel_threshold": 1, "min_area": 0}] * len(RUNS[name])
        done = client.post(f"/api/pictures/{key}/download/submission", json={"rules": rules})
        assert done.status_code == 200, done.text
        assert done.text.splitlines()[0] == "image_id,class_name,rle"
        truth = client.put(f"/api/pictures/{key}/truth", content=done.content)
        assert truth.status_code < 300, truth.text
