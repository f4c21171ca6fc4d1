"""Time, power and energy of neural networks on NVIDIA Jetson boards, layer by layer.

This package runs the program `host-trainer` that is installed with it, and returns what it prints as typed values.

>>> import layerjoule as lj
>>> prediction = lj.predict(lj.sample("resnet18_trt_engine_info.json"), device="orin-nano")
>>> print(f"{prediction.totals.runtime_ms:.3f} ms in {len(prediction.layers)} layers")
1.722 ms in 26 layers

Every value that is not known is None, never zero. A program that fails raises `LayerjouleError`.
"""

from ._align import Aligned, AlignedLayer, InferenceEnergy, align
from ._predict import (
    Correction,
    Engine,
    EngineLayer,
    Interval,
    Layer,
    Outlook,
    Prediction,
    Totals,
    explore,
    predict,
    predict_all,
)
from ._program import LayerjouleError, LayerjouleWarning, program, run, sample
from ._serve import Server
from ._train import Score, evaluate, fit

__all__ = [
    "Aligned",
    "AlignedLayer",
    "Correction",
    "Engine",
    "EngineLayer",
    "InferenceEnergy",
    "Interval",
    "Layer",
    "LayerjouleError",
    "LayerjouleWarning",
    "Outlook",
    "Prediction",
    "Score",
    "Server",
    "Totals",
    "align",
    "evaluate",
    "explore",
    "fit",
    "predict",
    "predict_all",
    "program",
    "run",
    "sample",
]
