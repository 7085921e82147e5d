"""A student as nephoscope's segmenter and classifier.

    python -m recipes.gpu.export_student --student recipes/gpu/students/student-coarse-final0.safetensors --out FOLDER

Writes a checkpoint and an ONNX graph of each. The stage `prepare` must have run: checkpoints contain its metadata.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from nephoscope.artifacts import Artifacts
from nephoscope.bundle.onnx_graph import write_onnx
from nephoscope.data.manifest import Manifest, Metadata
from nephoscope.models.checkpoint import load_checkpoint, save_checkpoint
from nephoscope.models.classifier import Classifier, build_classifier
from nephoscope.models.metadata import NetworkMetadata
from nephoscope.models.segmenter import Segmenter, build_segmenter

ENCODER, CLASS_COUNT, DECODER_WIDTH = "tf_efficientnet_lite0", 4, 0.5
ENCODER_PREFIX = "segmenter.encoder.model."
ORIGIN = "distilled from a teacher (recipes/gpu)"
STATISTICS = ("mean", "deviation")
HEAD = ("conv_head.", "bn2.", "classifier.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="the pipeline's results")
    parser.add_argument("--student", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0, help="number in the names of the files")
    parser.add_argument("--fold", type=int, default=-1, help="the fold that the student never saw; -1: none")
    parser.add_argument("--shape", nargs=2, type=int, default=(192, 288))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    data = Manifest.load(Artifacts(options.artifacts).prepare.manifest).metadata
    options.out.mkdir(parents=True, exist_ok=True)
    for network in load_student(options.student, tuple(options.shape)):
        path = options.out / f"{network.kind}-seed{options.seed}.safetensors"
        metadata = describe(network, data, options.seed, options.fold, tuple(options.shape))
        save_checkpoint(path, network, metadata, half=True)
        load_checkpoint(path)
        write_onnx(path)
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


def describe(
    network: Segmenter | Classifier, data: Metadata, seed: int, fold: int, shape: tuple[int, int]
) -> NetworkMetadata:
    is_segmenter = network.kind == "segmenter"
    return NetworkMetadata(
        kind=network.kind,
        architecture="FPN" if is_segmenter else ENCODER,
        encoder=f"tu-{ENCODER}" if is_segmenter else ENCODER,
        input_shape=shape,
        data=data,
        member=f"seed{seed}",
        seed=seed,
        fold=fold,
        epoch=0,
        score=float("nan"),
        settings={"weights": ORIGIN} | ({"decoder_width": DECODER_WIDTH} if is_segmenter else {}),
    )


def load_student(path: Path, shape: tuple[int, int] = (192, 288)) -> tuple[Segmenter, Classifier]:
    """Both networks in eval mode. They have the same encoder weights."""
    segmenter = build_segmenter("FPN", f"tu-{ENCODER}", CLASS_COUNT, decoder_width=DECODER_WIDTH)
    classifier = build_classifier(ENCODER, CLASS_COUNT, shape)
    for network, state in zip((segmenter, classifier), split_state(load_file(path)), strict=True):
        network.load_state_dict(state, strict=True)
        network.eval().to(memory_format=torch.channels_last)
    return segmenter, classifier


def split_state(state: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A student's state → the states of the segmenter and of the classifier, in float32."""
    segmenter: dict[str, Tensor] = {}
    classifier: dict[str, Tensor] = {}
    for key, stored in state.items():
        value = stored.float() if stored.is_floating_point() else stored
        if key.startswith("segmenter."):
            segmenter[f"body.{key.removeprefix('segmenter.')}"] = value
        if key.startswith(ENCODER_PREFIX):
            classifier[f"body.{key.removeprefix(ENCODER_PREFIX)}"] = value
        if key.startswith(HEAD):
            classifier[f"body.{key}"] = value
        if key in STATISTICS:
            segmenter[key] = classifier[key] = value
    return segmenter, classifier


if __name__ == "__main__":
    main()
