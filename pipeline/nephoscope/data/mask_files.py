"""Format `masks`: a folder of PNG masks, in one of three layouts. `<image>` is a name with or without its ending.

- `masks/<image>_<class>.png`, as `nephoscope predict --write masks` writes them
- `masks/<class>/<image>.png`
- `masks/<image>.png`: pixel values 1, 2, … are the classes of `prepare.classes`, in their order; 0 is none
"""

from collections import Counter
from pathlib import Path

from nephoscope.data.class_names import normalise
from nephoscope.data.formats import LABELLED_FOLDER
from nephoscope.data.mask_images import IndexAnnotation, MaskAnnotation
from nephoscope.data.own_labels import OwnLabels, OwnOptions, choose_classes, missing_classes, refusal
from nephoscope.data.problems import Problem
from nephoscope.data.source import list_names
from nephoscope.names import explain_name, one_line

MASKS_FOLDER = "masks"
ENDING = ".png"


def read_masks(root: Path, options: OwnOptions, problems: list[Problem]) -> OwnLabels:
    """Find the mask files of all images; they are opened later. Adds problems of files to the list."""
    folder = options.labels or Path(MASKS_FOLDER)
    if not (root / folder).is_dir():
        raise refusal(problems, "missing_labels", str(folder), f"no such folder in {root}; or set prepare.labels")
    files = _pngs(root, folder, problems)
    folders = sorted(path for path in (root / folder).iterdir() if path.is_dir() and not path.name.startswith("."))
    if bool(files) == bool(folders):
        message = "holds PNG files and folders, but one layout has only files, and the other a folder per class"
        raise refusal(problems, "unreadable_labels", str(folder), message if files else "holds no PNG files")
    reader = _Reader(root, folder, options, problems)
    return reader.read_folders(folders) if folders else reader.read_files(files)


def _pngs(root: Path, folder: Path, problems: list[Problem]) -> list[Path]:
    """The sorted PNG files of a folder. A name that no table can hold is a problem, and is shown with escapes."""
    kept = []
    for path in sorted(path for path in (root / folder).iterdir() if path.suffix.lower() == ENDING):
        if reason := explain_name(path.name):
            name = one_line(path.name)
            problems.append(Problem("misnamed_picture", f"{folder}/{name}", None, reason, name))
        elif not path.name.startswith("."):
            kept.append(path)
    return kept


class _Reader:
    def __init__(self, root: Path, folder: Path, options: OwnOptions, problems: list[Problem]) -> None:
        self.root, self.folder, self.options, self.problems = root, folder, options, problems
        self.images: dict[str, list[str]] = {}
        """Name with or without its ending → image_ids"""
        for image_id in list_names(root, LABELLED_FOLDER):
            for name in {image_id, Path(image_id).stem}:
                self.images.setdefault(name, []).append(image_id)
        self.paths: dict[str, dict[str, Path]] = {}
        """image_id → class_name → file, relative to the root"""

    def read_folders(self, folders: list[Path]) -> OwnLabels:
        for folder in folders:
            for path in _pngs(self.root, self.folder / folder.name, self.problems):
                if image_id := self._find_image(path.stem, path):
                    self._add(image_id, normalise(folder.name), path)
        return self._labels({normalise(folder.name) for folder in folders})

    def read_files(self, files: list[Path]) -> OwnLabels:
        indexed = [path for path in files if path.stem in self.images]
        if indexed and len(indexed) < len(files):
            other = next(path for path in files if path not in indexed)
            message = f"{indexed[0].name} has the name of an image, but {other.name} adds a class to it"
            raise refusal(self.problems, "unreadable_labels", str(self.folder), f"{message}; use one layout for all")
        if indexed:
            return self._read_indexed(indexed)
        for path in files:
            image, _, class_name = self._split(path.stem)
            if image_id := self._find_image(image, path):
                self._add(image_id, normalise(class_name), path)
        return self._labels({name for paths in self.paths.values() for name in paths})

    def _split(self, stem: str) -> tuple[str, str, str]:
        """A name → image, "_", class. Of several ways, the one with a chosen class, then the longest image name."""
        ways = [
            (stem[:index], "_", stem[index + 1 :])
            for index in range(len(stem) - 1, 0, -1)
            if stem[index] == "_" and stem[:index] in self.images
        ]
        chosen = [way for way in ways if normalise(way[2]) in (self.options.classes or ())]
        return (chosen or ways or [stem.rpartition("_")])[0]

    def _find_image(self, name: str, path: Path) -> str:
        """The image_id of a name; a problem and "" if there is none, or more than one."""
        found = self.images.get(name, [])
        if len(found) == 1 or name in found:
            return name if name in found else found[0]
        if found:
            message = f"it may belong to {' or '.join(found)}; write one of these in its name, instead of {name}"
        else:
            message = f"no image of {LABELLED_FOLDER} is named {name or path.stem}, with or without its ending"
        self.problems.append(Problem("missing_picture", self._relative(path), None, message, name or path.stem))
        return ""

    def _add(self, image_id: str, class_name: str, path: Path) -> None:
        other = self.paths.setdefault(image_id, {}).setdefault(class_name, path)
        if other != path:
            message = f"{other.name} is a mask of {class_name} in {image_id}, too; keep one of them"
            self.problems.append(Problem("duplicate_row", self._relative(path), None, message, image_id))

    def _labels(self, existing: set[str]) -> OwnLabels:
        classes = choose_classes(sorted(existing), self.options.classes)
        left_out = Counter(name for paths in self.paths.values() for name in paths if name not in classes)
        annotations = {
            image_id: MaskAnnotation(
                self.root, {name: self._relative(paths[name]) for name in classes if name in paths}
            )
            for image_id, paths in self.paths.items()
        }
        # An image without a mask shows no class: `predict` writes no file for an empty mask.
        labels = OwnLabels(str(self.folder), classes, annotations, {}, False, left_out)
        self.problems += missing_classes(labels, existing)
        return labels

    def _read_indexed(self, files: list[Path]) -> OwnLabels:
        classes = self.options.classes
        if classes is None:
            message = "masks with the names of images need prepare.classes: the classes of the pixel values 1, 2, …"
            raise refusal(self.problems, "bad_classes", str(self.folder), message)
        annotations: dict[str, IndexAnnotation] = {}
        for path in files:
            if image_id := self._find_image(path.stem, path):
                self._add(image_id, "", path)
                annotations[image_id] = IndexAnnotation(self.root, self._relative(path), classes)
        first_rows: dict[str, int | None] = dict.fromkeys(annotations)
        return OwnLabels(str(self.folder), classes, annotations, first_rows, True, Counter())

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)
