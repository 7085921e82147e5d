"""Measure the speed of every step against a named baseline, and write one table:

    python -m benchmarks                          # about 15 minutes; writes benchmarks/results.{md,json}
    python -m benchmarks --only masks decode      # only these; the other rows of the table are kept

Steps that are slower than in the last table are listed, and the exit code is 1. Run nothing else on the machine
meanwhile. Needs a finished run (`dvc repro`) and the packages of `python -m pip install -e '.[test]'`.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import torch

from benchmarks import app, decode, engines, masks, prediction, training, tuning
from benchmarks.table import Row, Table, describe_machine
from nephoscope.artifacts import Artifacts

TABLE = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="of a finished run")
    parser.add_argument("--only", nargs="+", choices=ALL, help="run only these")
    arguments = parser.parse_args()
    if not Artifacts(arguments.artifacts).export.model.is_dir():
        raise SystemExit(
            f"{arguments.artifacts}: no finished run here; `dvc repro` makes one, or choose another with --artifacts"
        )

    rows = []
    for name in arguments.only or ALL:
        print(f"… {name}", flush=True)
        rows += ALL[name](arguments.artifacts)
    machine = {**describe_machine(), "threads": f"torch {torch.get_num_threads()}, OpenCV {cv2.getNumThreads()}"}
    last = Table.read(TABLE)
    table = Table(machine, tuple(rows)).since(last)
    print(table.markdown())
    (last.updated(table) if arguments.only and last else table).write(TABLE)
    slower = [row for row in table.rows if row.slower]
    for row in slower:
        print(f"slower than in the last table: {row.step}, {row.case}: ×{row.ratio:.2f}, was ×{row.last_ratio:.2f}")
    raise SystemExit(1 if slower else 0)


Measure = Callable[[Path], list[Row]]
"""The artifacts of a finished run → rows."""


def without_run(measure: Callable[[], list[Row]]) -> Measure:
    return lambda _: measure()


def with_model(measure: Callable[[Path], list[Row]]) -> Measure:
    return lambda artifacts: measure(Artifacts(artifacts).export.model)


ALL: dict[str, Measure] = {
    "decode": without_run(decode.measure),
    "masks": without_run(masks.measure),
    "engines": engines.measure,
    "prediction": with_model(prediction.measure),
    "growth": with_model(prediction.measure_growth),
    "training": without_run(training.measure),
    "tuning": without_run(tuning.measure_drawn),
    "app": without_run(app.measure),
}


if __name__ == "__main__":
    main()
