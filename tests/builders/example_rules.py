"""Rules of two classes at 4×4, with any part changed."""

from nephoscope.rules.rules import Calibration, InferenceSettings, Rule, Rules


def rule(**changes: object) -> Rule:
    return Rule.model_validate({"presence_threshold": 0.5, "pixel_threshold": 100, "min_area": 0} | changes)


def rules(count: int = 2, **changes: object) -> Rules:
    plain = tuple(Calibration() for _ in range(count))
    content = {
        "classes": tuple("abcd"[:count]),
        "output_shape": (4, 4),
        "inference_settings": InferenceSettings(),
        "classifier_weight": 0.5,
        "classifier_calibrations": plain,
        "top_fraction_calibrations": plain,
        "rules": tuple(rule() for _ in range(count)),
    }
    return Rules.model_validate(content | changes)
