"""The command `profile`: training speed of encoders, with and without CUDA graphs, alone and several at a time."""

import argparse
import json
import traceback
from typing import Any

import numpy as np
import torch

from recipes.gpu.data import Data
from recipes.gpu.monitor import clock, gpu_usage, log, synchronise, write_json
from recipes.gpu.network import Settings, build_network, predict
from recipes.gpu.train import Lane, train


def profile(options: argparse.Namespace, data: Data) -> None:
    """Measure every case; `profile.json` is written after each."""
    results: dict[str, Any] = {}
    for case in options.cases:
        try:
            results[case] = profile_case(case, options, data)
        except Exception:  # the other cases are still measured
            traceback.print_exc()
            results[case] = "failed"
        write_json(options.out / "profile.json", results)
        if options.cuda:
            log(f"{case}: {results[case]}, memory {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.empty_cache()
    print(json.dumps(results, indent=1))


def profile_case(case: str, options: argparse.Namespace, data: Data) -> dict[str, Any]:
    name, shape, batch, lane_count, mode = parse_case(case)
    settings = Settings(name, shape, batch, 1e-4, 1e-3, channels_last="planar" not in mode)
    begin = clock()
    weights = options.weights if options.weights and (options.weights / f"{name}.safetensors").exists() else None
    rows = np.arange(len(data))
    lanes = [
        Lane(f"{case}-{seed}", build_network(settings, weights, data, seed), settings, data, rows, seed, None)
        for seed in range(lane_count)
    ]
    if mode.startswith("trace"):
        trace(lanes[0])
    with gpu_usage(options.cuda) as usage:
        summary = train(lanes, clock() + options.seconds, mode.startswith("graph"), max_steps=options.max_steps)
    count, begin_reading = min(512, len(data)), clock()
    predict(lanes[0].average, data.at(shape), np.arange(count), ["none"])
    synchronise(options.cuda)
    return {
        "pictures_per_second": summary["pictures_per_second"], "captured": summary["captured"],
        "setup_seconds": round(summary["ready_at"] - begin, 1), "busy": usage.get("busy"),
        "read_per_second": round(count / (clock() - begin_reading)),
        "loss": summary["losses"][lanes[0].name][-1],
    }  # fmt: skip


def trace(lane: Lane) -> None:
    """Print the kernels that take most of a step's time."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profile_kernels

    lane.prepare(capture=False)
    lane.plan(8)
    for _ in range(2):
        lane.take_step()
    synchronise(lane.cuda)
    with profile_kernels(activities=[ProfilerActivity.CUDA if lane.cuda else ProfilerActivity.CPU]) as recording:
        for _ in range(3):
            lane.take_step()
        synchronise(lane.cuda)
    kernels = recording.key_averages()
    key = "self_device_time_total" if lane.cuda else "self_cpu_time_total"
    total = sum(getattr(kernel, key) for kernel in kernels)
    log(f"{lane.name}: {total / 3000:.1f} ms of kernels a step")
    for kernel in sorted(kernels, key=lambda kernel: -getattr(kernel, key))[:14]:
        print(f"  {100 * getattr(kernel, key) / total:5.1f} %  {kernel.count // 3:4d}  {kernel.key[:110]}")
    lane.reset()


def parse_case(text: str) -> tuple[str, tuple[int, int], int, int, str]:
    """xception:256x384:32:5:graph → encoder, shape, batch size, networks at a time, mode"""
    name, shape, batch, lane_count, mode = text.split(":")
    height, width = map(int, shape.split("x"))
    return name, (height, width), int(batch), int(lane_count), mode
