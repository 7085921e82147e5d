import pytest

from pipeline.artifacts import Artifacts
from pipeline.params import Params
from tests.delivery.judged_run import judged_params, write_judged_run


@pytest.fixture(scope="session")
def judged_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Params, Artifacts]:
    """Everything that `report` reads. Only to be read: a test that changes it takes a copy."""
    artifacts = Artifacts(tmp_path_factory.mktemp("judged"))
    params = judged_params(artifacts.root)
    write_judged_run(params, artifacts)
    return params, artifacts
