"""Prediction of many images: shards, resuming, outputs, clusters. Start at `predict.predict_pictures`."""
