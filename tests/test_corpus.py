"""The corpus of bad inputs through every way into the product: each file is read, or refused with the message that
names it, and the files beside it are unharmed."""

import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

import httpx2
import numpy as np
import pandas as pd
import pytest

import nephoscope as ns
from nephoscope.app.errors import RequestError
from nephoscope.app.options import Bounds
from nephoscope.app.state import open_state
from nephoscope.app.truth import read_truth
from nephoscope.artifacts import Artifacts
from nephoscope.batch.predict import BatchResult, predict_pictures
from nephoscope.batch.scenes import split_time
from nephoscope.data import labels
from nephoscope.data.formats import CLOUDS
from nephoscope.errors import UserError
from nephoscope.files import read_json
from nephoscope.rules.rules import read_rules
from nephoscope.settings.data import Prepare
from nephoscope.settings.params import Params
from stages import prepare
from tests.builders.app_server import running
from tests.builders.datasets import cloud_rows, write_clouds
from tests.builders.memory import peak_of
from tests.corpus import documents, models, pictures, scenes
from tests.corpus.__main__ import make_all, table
from tests.corpus.case import Case

DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
PICTURES, SCENES = pictures.cases(), scenes.cases()
SOUND = {f"{case.name}.sound.png": number for number, case in enumerate([*PICTURES, *SCENES][::10])}
"""Sound pictures, spread over the corpus by their names → the seed of each."""
MEMORY = 700_000_000
"""Bytes that a run may take more than the same run over sound pictures."""
Outcomes = dict[str, str | None]
"""Name of a file → the message with which it was refused; None: it was read."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "in"
    for case in (*PICTURES, *SCENES):
        case.write(path)
    write_sound(path)
    return path


def write_sound(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, seed in SOUND.items():
        (folder / name).write_bytes(pictures.encode(pictures.scene(100 + seed), "PNG"))


@pytest.fixture(scope="module")
def beside(finished: Artifacts, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> BatchResult:
    """The whole corpus in one run of `nephoscope predict`."""
    out = tmp_path_factory.mktemp("beside")
    with warnings.catch_warnings(), peak_of() as peak:
        warnings.simplefilter("ignore")
        result = predict_pictures([str(folder)], finished.export.model, out, engine="onnx", outputs=())
    assert peak.growth < MEMORY
    return result


def test_predict(beside: BatchResult) -> None:
    outcomes: Outcomes = {}
    for record in beside.records():
        outcomes[PurePosixPath(split_time(record.address)[0]).name] = record.problem or None
    check((*PICTURES, *SCENES), outcomes)


def call_python(finished: Artifacts, folder: Path, _: Path) -> Outcomes:
    model = ns.load(finished.export.model, engine="onnx")
    outcomes: Outcomes = {}
    for path in sorted(folder.iterdir()):
        try:
            list(model.predict_each([path]))
            outcomes[path.name] = None
        except UserError as error:
            outcomes[path.name] = str(error) if path.name in str(error) else ""  # every message names its file
    return outcomes


def upload(finished: Artifacts, folder: Path, _: Path) -> Outcomes:
    outcomes: Outcomes = {}
    state = open_state(finished.export.model, "onnx", Bounds(max_megabytes=10, per_visitor=3, in_all=50, waiting=16))
    with running(state) as address, httpx2.Client(base_url=address, timeout=60) as client:
        for path in (path for path in sorted(folder.iterdir()) if path.is_file()):
            done = client.post("/api/pictures", params={"name": path.name}, content=path.read_bytes())
            assert done.status_code == 201 or 400 <= done.status_code < 500, f"{path.name}: {done.text}"
            outcomes[path.name] = None if done.status_code == 201 else done.json()["error"]
    return outcomes


def learn(_: Artifacts, folder: Path, tmp_path: Path) -> Outcomes:
    images = tmp_path / "root" / "train_images"
    shutil.copytree(folder, images, ignore=lambda _, names: [name for name in names if not is_picture(name)])
    names = [path.name for path in images.iterdir()]
    write_clouds(tmp_path / "root", [row for name in names for row in cloud_rows(name, Fish="1 9")])
    artifacts = Artifacts(tmp_path / "artifacts")
    prepare.main(Prepare(root=tmp_path / "root", cache_shape=(20, 30), problems="set_aside"), artifacts)
    problems = pd.read_csv(artifacts.prepare.problems, dtype=str)
    outcomes: Outcomes = dict.fromkeys(pd.read_csv(artifacts.prepare.images, dtype=str)["image_id"])
    return outcomes | dict(zip(problems["image_id"], problems["message"], strict=True))


def is_picture(name: str) -> bool:
    return name.lower().endswith((".jpg", ".jpeg", ".png"))


def in_python(case: Case) -> Case | None:
    return replace(case, certain=False) if "two-times" in case.name else case


def in_the_app(case: Case) -> Case | None:
    """The app goes by the content of a file, and opens no NetCDF and no Zarr."""
    if not isinstance(case.content, bytes):
        return None
    is_tiff = case.content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))
    same = is_picture(case.name) != is_tiff and not case.name.endswith(".nc")
    return case if same else replace(case, certain=False)


def in_prepare(case: Case) -> Case | None:
    """Only pictures can be learnt from. A black one is a picture whose pixels are all invisible."""
    if not is_picture(case.name):
        return None
    return replace(case, certain=False) if case.name.startswith("black") else case


Way = Callable[[Artifacts, Path, Path], Outcomes]
WAYS: Mapping[str, tuple[Way, Callable[[Case], Case | None]]] = {
    "the Python API": (call_python, in_python),
    "the app": (upload, in_the_app),
    "prepare": (learn, in_prepare),
}


@pytest.mark.filterwarnings("ignore")  # of the libraries, about damaged files
@pytest.mark.parametrize("way", WAYS)
def test_other_ways_into_the_product(way: str, finished: Artifacts, folder: Path, tmp_path: Path) -> None:
    run, expected = WAYS[way]
    with peak_of() as peak:
        outcomes = run(finished, folder, tmp_path)
    check([case for case in map(expected, (*PICTURES, *SCENES)) if case], outcomes)
    assert peak.growth < MEMORY


def check(cases: Sequence[Case], outcomes: Outcomes) -> None:
    """Every file is read, or refused with the message that names it; none is lost, and no sound one is refused."""
    found = [(case, outcomes.get(case.name, "LOST")) for case in (*cases, *(Case(name, b"") for name in SOUND))]
    wrong = [f"{case.name}: {problem}" for case, problem in found if problem == "LOST" or not case.agrees(problem)]
    assert not wrong, "\n".join(wrong)


def test_sound_pictures_have_the_same_results_beside_bad_ones(
    beside: BatchResult, finished: Artifacts, tmp_path: Path
) -> None:
    write_sound(tmp_path / "alone")
    alone = predict_pictures(
        [str(tmp_path / "alone")], finished.export.model, tmp_path / "out", engine="onnx", outputs=()
    )
    found = {record.image_id: record for record in beside.records() if record.image_id in SOUND}
    assert found.keys() == SOUND.keys()
    for record in alone.records():
        assert found[record.image_id].presence == pytest.approx(record.presence, abs=1e-4)
        assert found[record.image_id].areas == pytest.approx(record.areas, rel=0.02, abs=200)


@pytest.mark.parametrize("case", documents.tables(), ids=lambda case: case.name.replace("/train.csv", ""))
def test_tables(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr(prepare, "write_profile", lambda *_: None)
    root = case.write(tmp_path / "root").parent
    labelled = root.with_name("images")
    write_clouds(labelled, [], documents.IMAGES)
    (labelled / "train_images").rename(root / "train_images")
    problem = None
    try:
        prepare.main(Prepare(root=root, cache_shape=(20, 30)), Artifacts(tmp_path / "artifacts"))
    except UserError as error:
        problem = str(error)
    assert case.agrees(problem), problem
    if isinstance(case.content, bytes) and case.name.endswith(".csv"):
        with suppress(RequestError):
            read_truth(case.content, CLOUDS, "a.jpg")


@pytest.mark.parametrize("case", documents.settings(), ids=lambda case: case.name)
def test_settings(case: Case, tmp_path: Path) -> None:
    path, problem = case.write(tmp_path), None
    try:
        Params.load(path)
    except UserError as error:
        problem = str(error)
        assert str(path) in problem
    assert case.agrees(problem), problem


def test_rules(finished: Artifacts, tmp_path: Path) -> None:
    wrong = {}
    for case in documents.rules(read_json(finished.tune.rules)):
        path, problem = case.write(tmp_path), None
        try:
            read_rules(path)
        except UserError as error:
            problem = str(error)
            assert str(path) in problem
        if not case.agrees(problem):
            wrong[case.name] = problem
    assert wrong == {}, "\n".join(f"{name}: {text}" for name, text in wrong.items())


@pytest.mark.parametrize("case", models.cases(), ids=lambda case: case.name)
def test_model_folders(case: models.ModelCase, finished: Artifacts, tmp_path: Path) -> None:
    path = case.make(finished.export.model, tmp_path)
    for engine in case.engines:
        with pytest.raises(UserError, match=case.refusal or "."):
            ns.load(path, engine=engine).predict(np.asarray(pictures.scene()))


def test_the_document_counts_the_corpus() -> None:
    written = DOCUMENT.read_text("utf-8").splitlines()
    assert [row for row in table(make_all()) if row not in written] == []
