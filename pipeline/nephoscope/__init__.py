"""nephoscope: from satellite pictures to maps of how shallow clouds organise.

The house, ground to roof; a module imports its own floor or one below:

    params  artifacts    typed settings; the path of every file that stages exchange
    masks/         1     arrays only: rle, geometry, components, rule, dice
    data/          2     files and tables: manifest, formats, synthetic scenes, splits, cache
    evaluation/    3     judges probabilities: store, tuning, precision and recall, uncertainty, figures
    ─────────────────    above this line nothing imports torch
    models/        4     architecture and weights
    learning/      5     batches and steps
    inference/     6     picture → prediction
    delivery/      7     command line, portable model, submission, outlines, page, app

Life of a sample:

    training   csv row → Manifest → cache → Dataset → model → loss
    judging    probability store → decide(rule) → dice → table → page
    serving    image → Ensemble → Prediction → overlay | submission row | …
    explaining image → Explainer → heat per class → heat map
"""
