"""All benchmarks of speed, in one table, with the ratio of every step to a named way to do the same:

    python -m benchmarks                          # some 15 minutes; writes benchmarks/results.{md,json}
    python -m benchmarks --only masks decode      # some of them; the others stay in the table as they are

What got slower since the last table that was written is said, and makes the exit code 1. Leave the machine alone
meanwhile. Needs the model of a finished run (`dvc repro`), and what `python -m pip install -e '.[test]'` installs.
"""

import argparse
from pathlib import Path

import cv2
import torch

from benchmarks import app, decode, engines, masks, prediction, training, tuning
from benchmarks.table import Table, describe_machine
from nephoscope.artifacts import Artifacts

TABLE = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="of a finished run")
    parser.add_argument("--only", nargs="+", choices=ALL, help="run these alone")
    given = parser.parse_args()
    if not Artifacts(given.artifacts).export.model.is_dir():
        raise SystemExit(f"{given.artifacts}: no finished run there; `dvc repro` makes one, --artifacts names another")

    rows = []
    for name in given.only or ALL:
        print(f"… {name}", flush=True)
        rows += ALL[name](given.artifacts)
    machine = {**describe_machine(), "threads": f"torch {torch.get_num_threads()}, OpenCV {cv2.getNumThreads()}"}
    last = Table.read(TABLE)
    table = Table(machine, tuple(rows)).since(last)
    print(table.markdown())
    (last.updated(table) if given.only and last else table).write(TABLE)
    slower = [row for row in table.rows if row.slower]
    for row in slower:
        print(f"slower than in the last table: {row.step}, {row.case}: ×{row.ratio:.2f}, was ×{row.last_ratio:.2f}")
    raise SystemExit(1 if slower else 0)


ALL = {
    "decode": lambda _: decode.measure(),
    "masks": lambda _: masks.measure(),
    "engines": engines.measure,
    "prediction": lambda artifacts: prediction.measure(Artifacts(artifacts).export.model),
    "growth": lambda artifacts: prediction.measure_growth(Artifacts(artifacts).export.model),
    "training": lambda _: training.measure(),
    "tuning": lambda _: tuning.rows(),
    "app": lambda _: app.measure(),
}


if __name__ == "__main__":
    main()
