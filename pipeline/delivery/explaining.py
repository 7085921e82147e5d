"""Explanation of any number of pictures: which pictures, which classes, and what lies there already."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from errno import ENAMETOOLONG
from pathlib import Path, PurePosixPath

from pipeline.cores import calm_allocator
from pipeline.delivery.heat_folder import HeatFolder
from pipeline.delivery.model_folder import classifier_checkpoints, fingerprint
from pipeline.delivery.pictures import Reader, ahead
from pipeline.delivery.predicting import find_pictures
from pipeline.delivery.terminal import Progress, show_progress
from pipeline.inference.explain import Explainer
from pipeline.masks.geometry import Image
from pipeline.masks.rle import Mask
from pipeline.mendable import Mendable


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
    calm_allocator()
    addresses = {PurePosixPath(address).name: address for address in find_pictures(pictures)}
    if any(Path(address).parent.resolve() == out.resolve() for address in addresses.values()):
        raise Mendable(f"{out} holds the pictures themselves; choose another folder with --out")
    explainer = Explainer.open(classifier_checkpoints(model))
    wanted = choose_classes(explainer.facts.classes, class_names)
    folder = HeatFolder.open(out, fingerprint(model), addresses)
    todo = {image_id: names for image_id in addresses if (names := folder.missing(image_id, wanted))}
    faults = []
    with (
        progress(len(addresses) - len(todo), len(addresses)) as advance,
        ThreadPoolExecutor(1) as reading,
    ):
        read = ahead(reading, Reader(explainer.facts), (addresses[image_id] for image_id in todo), 1)
        for (image_id, names), picture in zip(todo.items(), read, strict=True):
            if isinstance(picture, str):
                faults.append((image_id, picture))
            else:
                try:
                    explain_picture(explainer, folder, image_id, names, *picture)
                except OSError as error:
                    if error.errno != ENAMETOOLONG:
                        raise
                    faults.append((image_id, "its name is too long for a heat map's"))
            advance(1)
    folder.write_summary()
    folder.write_faults(faults)
    return len(addresses) - len(faults), len(faults)


def explain_picture(
    explainer: Explainer, folder: HeatFolder, image_id: str, class_names: Sequence[str], image: Image, visible: Mask
) -> None:
    facts = explainer.facts
    explained = explainer.explain(image, visible, [facts.classes.index(name) for name in class_names])
    for name, heat, presence in zip(class_names, explained.heats, explained.presences, strict=True):
        folder.add(image_id, name, image, heat, presence, facts.judged_shape)


def choose_classes(classes: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted ones in the order of the model; all without a wish."""
    if unknown := sorted(set(wanted) - set(classes)):
        raise Mendable(f"--class-name {', '.join(unknown)}: the model knows {', '.join(classes)}")
    return [name for name in classes if name in wanted or not wanted]
