import pytest

from nephoscope.models import devices as machine
from nephoscope.models.devices import MAX_WORKERS, resolve_training_precision, resolve_workers
from nephoscope.settings.training import TrainingMachine


def test_on_a_cpu_there_are_no_loader_processes_by_default() -> None:
    assert resolve_workers(TrainingMachine(accelerator="cpu")) == 0
    assert resolve_workers(TrainingMachine(accelerator="cpu", workers=3)) == 3


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (4, 3), (64, MAX_WORKERS)])
def test_on_a_gpu_the_other_cores_load_data(monkeypatch: pytest.MonkeyPatch, cores: int, workers: int) -> None:
    monkeypatch.setattr(machine.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(machine, "count_cores", lambda: cores)
    assert resolve_workers(TrainingMachine()) == workers


@pytest.mark.parametrize(
    ("has_bf16", "has_amx", "precision"), [(True, False, "bf16"), (False, True, "bf16"), (False, False, "fp32")]
)
def test_a_cpu_with_instructions_for_16_bits_trains_with_them(
    monkeypatch: pytest.MonkeyPatch, has_bf16: bool, has_amx: bool, precision: str
) -> None:
    monkeypatch.setattr(machine.torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16)
    monkeypatch.setattr(machine, "_has_amx", lambda: has_amx)
    assert resolve_training_precision(TrainingMachine(accelerator="cpu")) == precision
    assert resolve_training_precision(TrainingMachine(accelerator="cpu", precision="fp32")) == "fp32"
    assert resolve_training_precision(TrainingMachine(accelerator="cpu", precision="bf16")) == "bf16"
