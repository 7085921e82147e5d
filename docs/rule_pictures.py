"""Draw the figures of docs/rule.md: `python -m docs.rule_pictures`.

The scene and its level map are synthetic and deterministic. Every step of the rule removes something from them.
"""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nephoscope.data.synthetic.clouds import draw_clouds_scene
from nephoscope.data.synthetic.dataset import scene_rng
from nephoscope.data.synthetic.scene import Scene
from nephoscope.figures.colours import CLASS_COLOURS, to_hex
from nephoscope.figures.overlays import draw_overlay
from nephoscope.masks.geometry import Image, gallery_shape, resize_image
from nephoscope.masks.rle import Mask
from nephoscope.rules.decide import decide
from nephoscope.rules.presence import RawPresences, calibrate, presences
from nephoscope.rules.rules import Calibration, InferenceSettings, Levels, Rule, Rules

FOLDER = Path(__file__).parent / "images"
SHAPE = (350, 525)
SCENE = (3, 0)  # seed and number
CLASS_INDEX = 1  # Flower
RULE = Rule(presence_threshold=0.55, pixel_threshold=110, min_area=2500)
RAW = RawPresences(np.array([[0.30, 0.92, 0.62, 0.35]]), np.array([[0.22, 0.71, 0.28, 0.66]]))
RULES = Rules(
    classes=("Fish", "Flower", "Gravel", "Sugar"),
    output_shape=SHAPE,
    inference_settings=InferenceSettings(),
    classifier_weight=0.4,
    classifier_calibrations=(Calibration(slope=0.9),) * 4,
    top_fraction_calibrations=(Calibration(slope=1.2, intercept=0.3),) * 4,
    rules=(RULE, RULE, RULE, RULE),
)
KEPT, REMOVED, NEUTRAL = CLASS_COLOURS[1], CLASS_COLOURS[0], CLASS_COLOURS[7]
DIMMED = 0.45
COLOUR_BAR_WIDTH = 14


def draw_all() -> dict[str, Image]:
    """File name → figure."""
    scene = draw_clouds_scene(scene_rng(*SCENE), SHAPE)
    levels, visible = synthetic_levels(scene), scene.visible
    thresholded = RULE.model_copy(update={"min_area": 0})
    with_invisible = decide(1.0, levels, np.ones(SHAPE, bool), thresholded)
    pixels = decide(1.0, levels, visible, thresholded)
    mask = decide(1.0, levels, visible, RULE)
    figures = {
        "rule-picture.jpg": scene.image,
        "rule-levels.jpg": draw_levels(levels, visible),
        "rule-pixels.jpg": draw_step(scene.image, with_invisible, pixels),
        "rule-area.jpg": draw_step(scene.image, pixels, mask),
        "rule-mask.jpg": draw_overlay(scene.image, np.stack([np.zeros_like(mask), mask]), visible),
    }
    small = {name: resize_image(image, gallery_shape(SHAPE)) for name, image in figures.items()}
    return small | {"rule-presence.png": draw_presence()}


def synthetic_levels(scene: Scene) -> Levels:
    """A blurred truth mask plus noise at two scales: a level map with false components."""
    rng = np.random.default_rng(0)
    coarse, fine = (rng.normal(0, 1, shape).astype(np.float32) for shape in ((6, 9), (18, 27)))
    noise = sum(
        weight * cv2.resize(grid, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)
        for weight, grid in ((30, coarse), (28, fine))
    )
    blurred = cv2.GaussianBlur(scene.regions[CLASS_INDEX].astype(np.float32), (0, 0), 14)
    return np.clip(150 * blurred + noise + 42, 0, 255).astype(np.uint8)


def draw_levels(levels: Levels, visible: Mask) -> Image:
    """The level map in colours, with a colour bar at the right and stripes over invisible pixels."""
    shown = np.where(visible, levels, 0)
    shown[:, -COLOUR_BAR_WIDTH:] = np.linspace(255, 0, SHAPE[0]).astype(np.uint8)[:, None]
    coloured = cv2.applyColorMap(shown, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    return draw_overlay(coloured, np.zeros((0, *SHAPE), bool), visible)


def draw_step(image: Image, before: Mask, after: Mask) -> Image:
    """Kept and removed pixels over the dimmed image."""
    canvas = DIMMED * image
    for mask, colour in ((before & ~after, REMOVED), (after, KEPT)):
        canvas[mask] = 0.4 * canvas[mask] + 0.6 * np.array(colour)
    return np.asarray(canvas, np.uint8)


def draw_presence() -> Image:
    """Per class: both calibrated presences, the fused presence, and the presence threshold."""
    figure = Figure(figsize=(7.2, 2.6), dpi=110, layout="constrained")
    axes = figure.subplots()
    sources = {
        "classifier": (calibrate(RAW.classifier, RULES.classifier_calibrations)[0], "o"),
        "top-fraction mean": (calibrate(RAW.top_mean, RULES.top_fraction_calibrations)[0], "s"),
    }
    rows = np.arange(len(RULES.classes))[::-1]
    for label, (values, marker) in sources.items():
        axes.plot(values, rows, marker, mfc="white", mec=to_hex(NEUTRAL), ms=7, label=f"{label}, calibrated")
    for presence, row in zip(presences(RAW, RULES)[0], rows, strict=True):
        present = presence >= RULE.presence_threshold
        axes.plot(presence, row, "D", color=to_hex(KEPT if present else REMOVED), ms=9)
        axes.annotate("present" if present else "empty mask", (1.02, row), va="center", annotation_clip=False)
    axes.plot([], [], "D", color=to_hex(KEPT), label="fused")
    axes.axvline(RULE.presence_threshold, color="black", lw=1, ls="--", label="presence threshold")
    axes.set(xlim=(0, 1), ylim=(-0.6, 3.6), xlabel="presence", yticks=rows, yticklabels=RULES.classes)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def main() -> None:
    for name, image in draw_all().items():
        quality = [cv2.IMWRITE_JPEG_QUALITY, 88] if name.endswith(".jpg") else []
        cv2.imwrite(str(FOLDER / name), image[..., ::-1], quality)


if __name__ == "__main__":
    main()
