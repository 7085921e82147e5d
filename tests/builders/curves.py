"""A precision and recall curve of three points."""

import pandas as pd

CURVES = pd.DataFrame(
    {
        "threshold": [0.9, 0.6, 0.2],
        "recall": [0.25, 0.5, 1.0],
        "precision": [1.0, 0.8, 0.4],
        "class_name": ["Fish", "Fish", "Fish"],
    }
)
