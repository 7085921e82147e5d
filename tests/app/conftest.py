import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from nephoscope.app.options import Bounds
from nephoscope.app.sessions import PictureStore
from nephoscope.app.state import AppState, Pool, open_state
from nephoscope.artifacts import SHIPPED, Artifacts
from nephoscope.data.synthetic import write_dataset
from nephoscope.settings.params import Params
from tests.builders.app_server import running

BOUNDS = Bounds(max_megabytes=1, per_visitor=3, in_all=50, waiting=16)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of three labelled scenes."""
    folder = tmp_path_factory.mktemp("app") / "scenes"
    write_dataset(folder, labelled=3, seed=5)
    return folder


@pytest.fixture(scope="session")
def picture(scenes: Path) -> Path:
    return sorted((scenes / "train_images").iterdir())[0]


@pytest.fixture(scope="session")
def opened() -> AppState:
    """The shipped model, opened once for all servers."""
    return open_state(None, "torch", BOUNDS)


@pytest.fixture(scope="module")
def server(opened: AppState) -> Iterator[str]:
    """A server with an empty store."""
    fresh = replace(opened, store=PictureStore(BOUNDS.per_visitor, BOUNDS.in_all), pool=Pool(2, BOUNDS.waiting))
    with running(fresh) as address:
        yield address


@pytest.fixture
def client(server: str) -> Iterator[httpx2.Client]:
    """A new visitor."""
    with httpx2.Client(base_url=server, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def exported_run(labelled_run: tuple[Params, Artifacts], tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    """A finished run with the shipped model and the run's own rules."""
    run = Artifacts(tmp_path_factory.mktemp("exported") / "artifacts")
    shutil.copytree(labelled_run[1].root, run.root)
    shutil.copytree(SHIPPED, run.export.model)
    shutil.copy(run.tune.rules, run.export.model / "rules.json")
    return run


@pytest.fixture(scope="session")
def opened_run(exported_run: Artifacts) -> AppState:
    return open_state(None, "torch", BOUNDS, run=exported_run.root)


@pytest.fixture(scope="module")
def run_server(opened_run: AppState) -> Iterator[str]:
    fresh = replace(opened_run, store=PictureStore(BOUNDS.per_visitor, BOUNDS.in_all), pool=Pool(2, BOUNDS.waiting))
    with running(fresh) as address:
        yield address
