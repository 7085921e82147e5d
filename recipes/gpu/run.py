"""A teacher and a cheap student for cloud patterns, on one GPU, in minutes.

    python -m recipes.gpu.run profile --data DATA --weights WEIGHTS --out OUT --cases xception:256x384:32:5:graph
    python -m recipes.gpu.run teacher --data DATA --weights WEIGHTS --out OUT --encoders xception:180 lite0:105
    python -m recipes.gpu.run student --data DATA --weights WEIGHTS --out OUT \\
        --group coarse 192x288 240 fold0 fold1 fold2 fold3 fold4 final0 final1
    python -m recipes.gpu.run collect --out OUT --to FOLDER --files 'teacher-*.npz' 'student-*'

DATA is written by pack.py, WEIGHTS by weights.py. Every command has a budget in seconds: it measures the time of a step
and takes as many steps as fit. Results that exist in OUT are not computed again.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from recipes.gpu.data import Data, load_data
from recipes.gpu.monitor import log, synchronise
from recipes.gpu.packed_maps import pack_file
from recipes.gpu.profiling import profile
from recipes.gpu.student import train_students
from recipes.gpu.teacher import train_teachers


def main() -> None:
    options = make_parser().parse_args()
    if options.command == "collect":
        collect(options)
    else:
        options.cuda = options.device.startswith("cuda")
        if options.command == "student":
            read_groups(options)
        options.action(options, open_data(options))
    log("done")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, action: Callable[[argparse.Namespace, Data], None], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text)
        command.set_defaults(action=action)
        command.add_argument("--out", type=Path, required=True, help="folder of the results, the same for all commands")
        command.add_argument("--data", type=Path, required=True, help="folder that pack.py wrote")
        command.add_argument("--weights", type=Path, help="folder that weights.py wrote; default: random weights")
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--eager", action="store_true", help="train without CUDA graphs")
        command.add_argument(
            "--reading-seconds", type=float, default=15, help="part of the budget for predicting all images"
        )  # fmt: skip
        return command

    add_profile_options(add("profile", profile, "measure the training speed of encoders"))
    add_teacher_options(add("teacher", train_teachers, "train one network per fold and encoder"))
    add_student_options(add("student", train_students, "train small networks, with and without a teacher"))
    command = commands.add_parser("collect", help="copy results to a folder and pack their maps")
    command.add_argument("--out", type=Path, required=True, help="folder of the results")
    command.add_argument("--to", type=Path, required=True)
    command.add_argument("--files", nargs="+", required=True, metavar="PATTERN")
    command.add_argument("--levels", type=int, default=64, help="levels of a packed probability")
    return parser


def add_profile_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cases", nargs="+", required=True, metavar="ENCODER:HxW:BATCH:NETWORKS:MODE",
        help="MODE: graph, eager or trace; add -planar for contiguous instead of channels-last memory",
    )  # fmt: skip
    command.add_argument("--seconds", type=float, default=3, help="for each case, without its set-up")
    command.add_argument("--max-steps", type=int)


def add_teacher_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--encoders", nargs="+", required=True, metavar="NAME:SECONDS")
    command.add_argument("--shape", nargs=2, type=int, default=(256, 384))
    command.add_argument("--batch", type=int, default=32)
    command.add_argument("--encoder-rate", type=float, default=3e-4)
    command.add_argument("--decoder-rate", type=float, default=2e-3)
    command.add_argument("--ema", type=float, default=0.99)
    command.add_argument("--keep-weights", type=int, default=0, help="number of folds whose weights are written")


def add_student_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--group", nargs="+", action="append", required=True, metavar="NAME HxW SECONDS STUDENT",
        help="e.g. coarse 192x288 200 fold0 fold1 plain0 final0 final1; plain0_0.5 learns from half of the images",
    )  # fmt: skip
    command.add_argument("--encoder", default="lite0")
    command.add_argument("--teachers", nargs="+", default=["xception", "lite0"])
    command.add_argument("--batch", type=int, default=64)
    command.add_argument("--encoder-rate", type=float, default=5e-4)
    command.add_argument("--decoder-rate", type=float, default=3e-3)
    command.add_argument("--soft", type=float, default=0.6, help="share of the teacher in the targets")
    command.add_argument("--ema", type=float, default=0.99)


def read_groups(options: argparse.Namespace) -> None:
    """Each `--group NAME HxW SECONDS STUDENT …` → `shapes`, `seconds_of` and `students`, by the group's name."""
    options.shapes = {name: tuple(map(int, shape.split("x"))) for name, shape, *_ in options.group}
    options.seconds_of = {name: float(seconds) for name, _, seconds, *_ in options.group}
    options.students = {name: students for name, _, _, *students in options.group}


def open_data(options: argparse.Namespace) -> Data:
    if options.cuda:
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        log(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    data = load_data(options.data, torch.device(options.device))
    synchronise(options.cuda)
    log(f"{len(data)} images of {tuple(data.images.shape[2:])} on {options.device}")
    options.out.mkdir(parents=True, exist_ok=True)
    return data


def collect(options: argparse.Namespace) -> None:
    """Copy files of the results to a folder. Maps are packed."""
    options.to.mkdir(parents=True, exist_ok=True)
    for pattern in options.files:
        for path in sorted(options.out.glob(pattern)):
            if path.suffix == ".npz":
                target = options.to / f"{path.stem}.maps"
                target.write_bytes(pack_file(path, options.levels))
            else:
                target = options.to / path.name
                target.write_bytes(path.read_bytes())
            log(f"{target.name}: {target.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
