"""A folder of heat maps of one model: JPEG files, and summary.csv with a row for each.

A row is added when its heat map is written, so an interrupted run resumes where it stopped.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from errno import ENAMETOOLONG
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from nephoscope.batch.merge import PROBLEM_COLUMNS
from nephoscope.batch.pictures import Reader, ahead
from nephoscope.batch.plan import EXPLAINED, PLAN
from nephoscope.batch.storage import find_pictures, hold_folder, make_folder, stamp
from nephoscope.bundle.folder import classifier_checkpoints, fingerprint
from nephoscope.errors import UserError
from nephoscope.figures.overlays import heat_name, write_heat
from nephoscope.files import atomic_write, read_json, write_json
from nephoscope.hardware import keep_freed_memory
from nephoscope.inference.grad_cam import Explainer, Heat
from nephoscope.masks.geometry import Image
from nephoscope.masks.rle import Mask, Shape
from nephoscope.names import cell
from nephoscope.progress import Progress, no_progress

COLUMNS = ("image_id", "class_name", "presence", "file")


@dataclass(frozen=True)
class HeatFolder:
    folder: Path
    presences: dict[tuple[str, str], str]
    """(image_id, class_name) → presence as written, of every heat map in the folder."""

    @classmethod
    def open(cls, folder: Path, fingerprint: str, addresses: Mapping[str, str]) -> Self:
        """A new folder, or one with heat maps of the same model and the same images (image_id → address)."""
        make_folder(str(folder))
        if (folder / PLAN).exists():
            raise UserError(f"{folder} holds predictions, whose tables have the same names; choose another --out")
        note = folder / EXPLAINED
        earlier: dict[str, Any] = read_json(note) if note.is_file() else {"model": fingerprint, "pictures": {}}
        earlier_stamps = earlier.get("stamps", {})
        stamps = {image_id: stamp(address) for image_id, address in addresses.items()}
        if earlier["model"] != fingerprint:
            raise UserError(f"{folder} holds heat maps of another model; choose another folder with --out")
        for image_id, address in addresses.items():
            if earlier["pictures"].get(image_id, address) != address:
                raise UserError(f"{folder} holds heat maps of another {image_id}; choose another folder with --out")
        all_addresses, all_stamps = {**earlier["pictures"], **addresses}, {**earlier_stamps, **stamps}
        changed = {name for name, version in earlier_stamps.items() if version not in ("", all_stamps[name])}
        drawn = dict(_read_summary(folder, all_addresses))
        opened = cls(folder, {key: presence for key, presence in drawn.items() if key[0] not in changed})
        for key in drawn.keys() - opened.presences.keys():
            (folder / heat_name(*key)).unlink()
        opened.write_summary()  # before the stamps: a run that ends in between draws the changed images again
        write_json(note, {"model": fingerprint, "pictures": all_addresses, "stamps": all_stamps})
        return opened

    def missing(self, image_id: str, class_names: Sequence[str]) -> list[str]:
        return [name for name in class_names if (image_id, name) not in self.presences]

    def add(self, image_id: str, class_name: str, image: Image, heat: Heat, presence: float, shape: Shape) -> None:
        write_heat(self.folder / heat_name(image_id, class_name), image, heat, shape)
        self.presences[image_id, class_name] = f"{presence:.4f}"
        with _open_table(self.folder / "summary.csv", "a") as file:
            csv.writer(file, lineterminator="\n").writerow(self._row(image_id, class_name))

    def write_summary(self) -> None:
        """All rows sorted; rows that were added one by one are not."""
        _write_table(self.folder / "summary.csv", COLUMNS, [self._row(*key) for key in sorted(self.presences)])

    def write_problems(self, problems: Iterable[tuple[str, str]]) -> None:
        _write_table(self.folder / "problems.csv", PROBLEM_COLUMNS, [tuple(map(cell, row)) for row in problems])

    def _row(self, image_id: str, class_name: str) -> tuple[str, ...]:
        file = heat_name(image_id, class_name)
        return cell(image_id), class_name, self.presences[image_id, class_name], cell(file)


def _read_summary(folder: Path, image_ids: Iterable[str]) -> Iterator[tuple[tuple[str, str], str]]:
    """Rows whose heat map exists. An incomplete last row names no file and is skipped."""
    path = folder / "summary.csv"
    if not path.is_file():
        return
    by_written_name = {cell(image_id): image_id for image_id in image_ids}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            image_id = by_written_name.get(row["image_id"], row["image_id"])
            if row["file"] and (folder / heat_name(image_id, row["class_name"])).is_file():
                yield (image_id, row["class_name"]), row["presence"]


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with atomic_write(path) as unfinished, _open_table(unfinished, "w") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *rows])


def _open_table(path: Path, mode: str) -> IO[Any]:
    return path.open(mode, newline="", encoding="utf-8")


def explain_pictures(
    pictures: Sequence[str],
    model: Path,
    out: Path,
    class_names: Sequence[str] = (),
    *,
    progress: Progress = no_progress,
) -> tuple[int, int]:
    """Files, folders or patterns → a heat map per image and class (all classes by default) in `out`.

    Returns the numbers of images with heat maps and with a problem. Existing heat maps are kept.
    """
    keep_freed_memory()
    addresses = {PurePosixPath(address).name: address for address in find_pictures(pictures)}
    if any(Path(address).parent.resolve() == out.resolve() for address in addresses.values()):
        raise UserError(f"{out} holds the images themselves; choose another folder with --out")
    explainer = Explainer.open(classifier_checkpoints(model))
    wanted = choose_classes(explainer.metadata.classes, class_names)
    with hold_folder(str(out)):
        return _explain_pictures(
            explainer, HeatFolder.open(out, fingerprint(model), addresses), wanted, addresses, progress
        )


def _explain_pictures(
    explainer: Explainer, folder: HeatFolder, wanted: Sequence[str], addresses: Mapping[str, str], progress: Progress
) -> tuple[int, int]:
    """Add the heat maps that the folder does not hold; returns the numbers of images with and without a result."""
    todo = {image_id: names for image_id in addresses if (names := folder.missing(image_id, wanted))}
    problems = []
    with progress(len(addresses) - len(todo), len(addresses)) as advance, ThreadPoolExecutor(1) as reading:
        images = ahead(reading, Reader(explainer.metadata), (addresses[image_id] for image_id in todo), 1)
        for (image_id, names), image in zip(todo.items(), images, strict=True):
            if problem := _explain_picture(explainer, folder, image_id, names, image):
                problems.append((image_id, problem))
            advance(1)
    folder.write_summary()
    folder.write_problems(problems)
    return len(addresses) - len(problems), len(problems)


def _explain_picture(
    explainer: Explainer,
    folder: HeatFolder,
    image_id: str,
    class_names: Sequence[str],
    picture: tuple[Image, Mask] | str,
) -> str:
    """Add the heat maps of an image to the folder; returns its problem, or ""."""
    if isinstance(picture, str):
        return picture
    image, visible = picture
    metadata = explainer.metadata
    explanation = explainer.explain(image, visible, [metadata.classes.index(name) for name in class_names])
    try:
        for name, heat, presence in zip(class_names, explanation.heat_maps, explanation.presences, strict=True):
            folder.add(image_id, name, image, heat, presence, metadata.output_shape)
    except OSError as error:
        if error.errno != ENAMETOOLONG:
            raise
        return "its name is too long for the name of a heat map"
    return ""


def choose_classes(classes: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted classes in the order of the model; all if none is named."""
    if unknown := sorted(set(wanted) - set(classes)):
        raise UserError(f"--class-name {', '.join(unknown)} is unknown; the model has {', '.join(classes)}")
    return [name for name in classes if name in wanted or not wanted]
