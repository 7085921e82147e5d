"""A folder of heat maps: JPEGs, and summary.csv with a row for each, that of one model.

Rows are added as heat maps are drawn, so that a run that was killed goes on where it stopped.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import ENAMETOOLONG
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from nephoscope.batch.merge import PROBLEM_COLUMNS
from nephoscope.batch.pictures import Reader, ahead
from nephoscope.batch.predict import find_pictures
from nephoscope.batch.progress import Progress, show_progress
from nephoscope.batch.shards import EXPLAINED, PLAN
from nephoscope.batch.storage import make_folder
from nephoscope.bundle.folder import classifier_checkpoints, fingerprint
from nephoscope.errors import UserError
from nephoscope.figures.overlays import heat_name, write_heat
from nephoscope.files import atomic_write, read_json, write_json
from nephoscope.hardware import keep_freed_memory
from nephoscope.inference.grad_cam import Explainer, Heat
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape

COLUMNS = ("image_id", "class_name", "presence", "file")


@dataclass(frozen=True)
class HeatFolder:
    folder: Path
    presences: dict[tuple[str, str], str]
    """(image_id, class_name) → presence as it is written, of every heat map that lies there"""

    @classmethod
    def open(cls, folder: Path, fingerprint: str, addresses: Mapping[str, str]) -> Self:
        """A new folder, or one with heat maps of the same model; those of another one, or of other pictures with the
        same names (image_id → address), are refused."""
        make_folder(str(folder))
        mark = folder / EXPLAINED
        if (folder / PLAN).exists():
            raise UserError(f"{folder} holds predictions, whose tables have the same names; choose another --out")
        earlier: dict[str, Any] = read_json(mark) if mark.is_file() else {"model": fingerprint, "pictures": {}}
        if earlier["model"] != fingerprint:
            raise UserError(f"{folder} holds heat maps of another model; choose another folder with --out")
        pictures = earlier["pictures"]
        other = [name for name, address in addresses.items() if pictures.get(name, address) != address]
        if other:
            raise UserError(f"{folder} holds heat maps of another {other[0]}; choose another folder with --out")
        known = {**pictures, **addresses}
        write_json(mark, {"model": fingerprint, "pictures": known})
        opened = cls(folder, dict(_read_summary(folder, known)))
        opened.write_summary()
        return opened

    def missing(self, image_id: str, class_names: Sequence[str]) -> list[str]:
        return [name for name in class_names if (image_id, name) not in self.presences]

    def add(self, image_id: str, class_name: str, image: Image, heat: Heat, presence: float, shape: Shape) -> None:
        write_heat(self.folder / heat_name(image_id, class_name), image, heat, shape)
        self.presences[image_id, class_name] = f"{presence:.4f}"
        with _open_table(self.folder / "summary.csv", "a") as file:
            csv.writer(file, lineterminator="\n").writerow(self._row(image_id, class_name))

    def write_summary(self) -> None:
        """In order, which rows that were added are not."""
        _write_table(self.folder / "summary.csv", COLUMNS, [self._row(*key) for key in sorted(self.presences)])

    def write_problems(self, problems: Iterable[tuple[str, str]]) -> None:
        _write_table(self.folder / "problems.csv", PROBLEM_COLUMNS, problems)

    def _row(self, image_id: str, class_name: str) -> tuple[str, ...]:
        return image_id, class_name, self.presences[image_id, class_name], heat_name(image_id, class_name)


def _read_summary(folder: Path, image_ids: Iterable[str]) -> Iterable[tuple[tuple[str, str], str]]:
    """Rows whose heat map is there; one that broke off names none."""
    path = folder / "summary.csv"
    if not path.is_file():
        return
    as_written = {image_id.encode("utf-8", "backslashreplace").decode(): image_id for image_id in image_ids}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            image_id = as_written.get(row["image_id"], row["image_id"])
            if row["file"] and (folder / heat_name(image_id, row["class_name"])).is_file():
                yield (image_id, row["class_name"]), row["presence"]


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with atomic_write(path) as unfinished, _open_table(unfinished, "w") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def _open_table(path: Path, mode: str) -> IO[Any]:
    return path.open(mode, newline="", encoding="utf-8", errors="backslashreplace")  # a file's name may be no UTF-8


def explain_pictures(
    pictures: Sequence[str],
    model: Path,
    out: Path,
    class_names: Sequence[str] = (),
    *,
    progress: Callable[[int, int], Progress] = show_progress,
) -> tuple[int, int]:
    """Files, folders or patterns → a heat map per picture and class (without names: every class) in `out`.

    Returns how many pictures are explained, and how many could not be read. Heat maps that lie there are kept.
    """
    keep_freed_memory()
    addresses = {PurePosixPath(address).name: address for address in find_pictures(pictures)}
    if any(Path(address).parent.resolve() == out.resolve() for address in addresses.values()):
        raise UserError(f"{out} holds the pictures themselves; choose another folder with --out")
    explainer = Explainer.open(classifier_checkpoints(model))
    wanted = choose_classes(explainer.metadata.classes, class_names)
    folder = HeatFolder.open(out, fingerprint(model), addresses)
    todo = {image_id: names for image_id in addresses if (names := folder.missing(image_id, wanted))}
    problems = []
    with (
        progress(len(addresses) - len(todo), len(addresses)) as advance,
        ThreadPoolExecutor(1) as inference_settings,
    ):
        read = ahead(inference_settings, Reader(explainer.metadata), (addresses[image_id] for image_id in todo), 1)
        for (image_id, names), picture in zip(todo.items(), read, strict=True):
            if isinstance(picture, str):
                problems.append((image_id, picture))
            else:
                try:
                    explain_picture(explainer, folder, image_id, names, *picture)
                except OSError as error:
                    if error.errno != ENAMETOOLONG:
                        raise
                    problems.append((image_id, "its name is too long for a heat map's"))
            advance(1)
    folder.write_summary()
    folder.write_problems(problems)
    return len(addresses) - len(problems), len(problems)


def explain_picture(
    explainer: Explainer, folder: HeatFolder, image_id: str, class_names: Sequence[str], image: Image, visible: Mask
) -> None:
    metadata = explainer.metadata
    explained = explainer.explain(image, visible, [metadata.classes.index(name) for name in class_names])
    for name, heat, presence in zip(class_names, explained.heat_maps, explained.presences, strict=True):
        folder.add(image_id, name, image, heat, presence, metadata.output_shape)


def choose_classes(classes: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted ones in the order of the model; all without a wish."""
    if unknown := sorted(set(wanted) - set(classes)):
        raise UserError(f"--class-name {', '.join(unknown)}: the model knows {', '.join(classes)}")
    return [name for name in classes if name in wanted or not wanted]
