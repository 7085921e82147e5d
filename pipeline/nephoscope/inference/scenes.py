"""Scenes of any size: read in overlapping windows, predicted, blended, and decided as a whole."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from nephoscope.data.formats import OWN_FORMATS
from nephoscope.data.images import fit_image
from nephoscope.data.manifest import Metadata
from nephoscope.data.visible import find_visible
from nephoscope.earth.scene import Scene
from nephoscope.earth.validity import DOMAINS
from nephoscope.earth.windows.fields import Field, Numbers, make_field
from nephoscope.earth.windows.plan import OVERLAP, Plan, plan_windows
from nephoscope.earth.windows.reduce import limit_resolution, read_overview, read_window
from nephoscope.earth.windows.row_store import RowStore
from nephoscope.errors import UserError
from nephoscope.evaluation.store import Prediction
from nephoscope.inference.blending import Band
from nephoscope.inference.ensemble import Ensemble
from nephoscope.inference.result import Result, raw_presences
from nephoscope.masks.geometry import Image, resize_mask
from nephoscope.masks.rle import Mask
from nephoscope.masks.strips import StripFilter
from nephoscope.progress import Progress, no_progress
from nephoscope.rules.decide import decide_pixels
from nephoscope.rules.presence import PresenceDecision, decide_presence
from nephoscope.rules.rules import Rules

LEAST_SEEN = 0.2
"""Share of a window, within the scene, that must have been seen. Otherwise the window says nothing."""
BATCH_SIZE = 4
STRIP_CELLS = 200_000
"""Cells (h×W) that are decided at once. A window is a single strip."""


def predict_scene(
    model: Ensemble,
    rules: Rules,
    scene: Scene,
    *,
    overlap: float = OVERLAP,
    batch_size: int = BATCH_SIZE,
    progress: Progress = no_progress,
) -> Result:
    """A scene of any size → its result, whose grid has the cells of the networks' output (0.04° for clouds).

    A scene of one window (within 2 %) gives exactly the result of the same pixels as a plain image. Of a larger scene,
    levels, presence and confidence are means over the windows around a pixel, weighted by a raised cosine. Rules are
    applied to these, and components are filtered across the whole scene.

    Of a scene of several windows, `presence` is the maximum over the windows, `present` is true if it is in any of
    them, and `confidence` belongs to these two; `presence_map` and `confidence_map` say it for every pixel.

    Windows of which less than 20 % was seen say nothing, nor do windows poleward of 60°. What no window covers is not
    visible. The arrays of an output of more than four million cells lie in temporary files.
    """
    fitted, plan = plan_scene(model.metadata, rules, scene, overlap)
    levels, visible = (
        RowStore(shape, dtype) for shape, dtype in (((len(rules.classes), *plan.shape), np.uint8), (plan.shape, bool))
    )
    windows = _predict_windows(model, rules, fitted, plan, batch_size, progress, levels, visible)
    masks = _decide_masks(rules, plan, windows, levels, visible)
    result = _to_result(scene, rules, plan, windows, masks, levels, visible)
    return replace(result, domain=DOMAINS.get(model.metadata.format), notes=scene.attributes)


def plan_scene(metadata: Metadata, rules: Rules, scene: Scene, overlap: float = OVERLAP) -> tuple[Scene, Plan]:
    """A scene → itself, reduced if it is much finer than needed, and its windows."""
    if metadata.ground_size is None:
        message = f"images of the format {metadata.format} have no fixed size on Earth; pass the pixels as an array"
        own = ", or set prepare.ground_size and train again" if metadata.format in OWN_FORMATS else ""
        raise UserError(message + own)
    fitted = limit_resolution(scene, metadata.ground_size, metadata.rle_shape)
    return fitted, plan_windows(fitted.place.grid, metadata.ground_size, rules.output_shape, overlap)


def blank_result(metadata: Metadata, rules: Rules, scene: Scene) -> Result:
    """What `predict_scene` will return, without its numbers."""
    _, plan = plan_scene(metadata, rules, scene)
    maps = (len(rules.classes), *plan.shape)
    nothing = np.zeros(len(rules.classes))
    return Result(
        scene.name,
        rules.classes,
        np.zeros(maps, bool),
        nothing,
        nothing > 0,
        nothing,
        np.zeros(maps, np.uint8),
        np.zeros(plan.shape, bool),
        place=replace(scene.place, grid=plan.grid),
        domain=DOMAINS.get(metadata.format),
        notes=scene.attributes,
    )


class Picture(NamedTuple):
    """A window as the networks see it, at the cache shape."""

    image: Image
    visible: Mask
    seen_share: float
    """Visible share of its part in the scene."""


class WindowDecisions:
    """What is decided of every window: C × rows × columns of windows each; NaN for windows that say nothing."""

    def __init__(self, class_count: int, plan: Plan) -> None:
        shape = class_count, len(plan.rows.starts), len(plan.columns.starts)
        self.presence, self.confidence, self.margin, self.top_mean = (np.full(shape, np.nan) for _ in range(4))

    def put(self, row: int, columns: list[int], decision: PresenceDecision, top_mean: Numbers, rules: Rules) -> None:
        """Decisions of several windows of a row (N×C)."""
        self.presence[:, row, columns] = decision.probability.T
        self.confidence[:, row, columns] = decision.confidence.T
        self.margin[:, row, columns] = decision.margins(rules).T
        self.top_mean[:, row, columns] = top_mean.T


def _predict_windows(
    model: Ensemble,
    rules: Rules,
    scene: Scene,
    plan: Plan,
    batch_size: int,
    progress: Progress,
    levels: RowStore,
    visible: RowStore,
) -> WindowDecisions:
    """Predict all windows, and write the blended levels and the visible pixels."""
    decisions, band = WindowDecisions(len(rules.classes), plan), Band(len(rules.classes), plan)
    rows = range(len(plan.rows.starts))
    windows = [window for row in rows for window in plan.windows_of(row)]
    best_share = 0.0
    with ThreadPoolExecutor(1) as thread, progress(0, len(windows)) as advance:
        pictures = _ahead(thread, partial(_read, scene, plan, model.metadata), windows, batch_size)
        for row in rows:
            columns = [column for _, column in plan.windows_of(row)]
            for begin in range(0, len(columns), batch_size):
                batch = dict(zip(columns[begin : begin + batch_size], pictures, strict=False))
                best_share = max(best_share, *(picture.seen_share for picture in batch.values()))
                heard = {column: picture for column, picture in batch.items() if picture.seen_share >= LEAST_SEEN}
                _predict_batch(model, rules, row, heard, decisions, band)
                advance(len(batch))
            for strip in band.finish((*plan.rows.starts[1:], plan.rows.size)[row]):
                levels.write(strip.start, strip.levels)
                visible.write(strip.start, strip.visible)
    if np.isnan(decisions.presence).all():
        raise _too_little(scene, best_share)
    return decisions


def predict_window(model: Ensemble, scene: Scene, plan: Plan) -> tuple[Prediction, Image]:
    """A scene of one window → its prediction on the cells of the scene, and the image that the networks read.

    `decide_results` turns it into the result of `predict_scene`, by any rules.
    """
    picture = _read(scene, plan, model.metadata, (0, 0))
    if picture.seen_share < LEAST_SEEN:
        raise _too_little(scene, picture.seen_share)
    (prediction,) = model.predict(picture.image[None], picture.visible[None])
    ((rows, _),), ((columns, _),) = plan.rows.pieces(0), plan.columns.pieces(0)
    levels, visible = prediction.levels[:, rows, columns], prediction.visible[rows, columns]
    return prediction._replace(levels=levels, visible=visible), picture.image


def _too_little(scene: Scene, best_share: float) -> UserError:
    return UserError(
        f"{scene.name}: too little was seen; of the best window {best_share:.0%} are neither nodata nor black, "
        f"expected at least {LEAST_SEEN:.0%}; choose another time or area"
    )


def _predict_batch(
    model: Ensemble,
    rules: Rules,
    row: int,
    pictures: dict[int, Picture],
    decisions: WindowDecisions,
    band: Band,
) -> None:
    """Predict some windows of a row: column of windows → picture."""
    if not pictures:
        return
    predictions: list[Prediction] = model.predict(
        np.stack([picture.image for picture in pictures.values()]),
        np.stack([picture.visible for picture in pictures.values()]),
    )
    raw = raw_presences(predictions)
    decisions.put(row, list(pictures), decide_presence(raw, rules), np.asarray(raw.top_mean, np.float64), rules)
    for column, prediction in zip(pictures, predictions, strict=True):
        band.add(row, column, prediction)


def _read(scene: Scene, plan: Plan, metadata: Metadata, window: tuple[int, int]) -> Picture:
    pixels, seen = read_window(scene, plan, *window)
    image = fit_image(pixels, metadata.cache_shape)
    visible = find_visible(image, metadata.nodata) & resize_mask(seen, metadata.cache_shape)
    return Picture(image, visible, float(visible.mean()) / plan.window_share)


def _ahead(
    thread: ThreadPoolExecutor, read: Callable[[Any], Picture], windows: Iterable[Any], count: int
) -> Iterator[Picture]:
    """Pictures in order; up to `count` of them are read while the networks run."""
    remaining = iter(windows)
    waiting: deque[Future[Picture]] = deque(thread.submit(read, window) for window in islice(remaining, count))
    while waiting:
        picture = waiting.popleft().result()
        waiting.extend(thread.submit(read, window) for window in islice(remaining, 1))
        yield picture


def _decide_masks(rules: Rules, plan: Plan, windows: WindowDecisions, levels: RowStore, visible: RowStore) -> RowStore:
    """Apply the rules strip by strip; components are filtered when all of them are known."""
    masks = RowStore(levels.shape, bool)
    filters = [StripFilter(rule.min_area, wraps=plan.columns.wraps) for rule in rules.rules]
    height, width = plan.shape
    step = max(1, STRIP_CELLS // width)
    strips = [(start, min(height, start + step)) for start in range(0, height, step)]
    for start, stop in strips:
        margin, top_mean = (
            _around(numbers, plan, slice(start, stop)) for numbers in (windows.margin, windows.top_mean)
        )
        pixels = decide_pixels(margin, top_mean, levels.read(start, stop), visible.read(start, stop), rules)
        masks.write(start, pixels)
        for strip_filter, mask in zip(filters, pixels, strict=True):
            strip_filter.add(mask)
    for index, (start, stop) in enumerate(strips):
        pixels = masks.read(start, stop)
        kept = [strip_filter.filter(index, mask) for strip_filter, mask in zip(filters, pixels, strict=True)]
        masks.write(start, np.stack(kept))
    return masks


def _around(numbers: Numbers, plan: Plan, rows: slice) -> Numbers:
    """Numbers of the windows around every pixel of these rows (C×h×W); of a single window C×1×1."""
    # Not a field: its rounding could move a threshold, and one window decides exactly as a plain image does.
    return numbers if plan.is_single else make_field(numbers, plan).rows(rows)


def _to_result(
    scene: Scene,
    rules: Rules,
    plan: Plan,
    windows: WindowDecisions,
    masks: RowStore,
    levels: RowStore,
    visible: RowStore,
) -> Result:
    presence = np.nanmax(windows.presence, axis=(1, 2))
    present = np.asarray((windows.margin >= 0).any(axis=(1, 2)))
    fields: list[Field | None] = [None, None]
    if not plan.is_single:
        fields = [make_field(numbers, plan) for numbers in (windows.presence, windows.confidence)]
    return Result(
        scene.name,
        rules.classes,
        masks.finish(),
        presence,
        present,
        np.where(present, presence, 1 - presence),
        levels.finish(),
        visible.finish(),
        place=replace(scene.place, grid=plan.grid),
        presence_map=fields[0],
        confidence_map=fields[1],
        read_image=partial(read_overview, scene, plan.shape),
    )
