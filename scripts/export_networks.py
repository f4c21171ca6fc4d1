"""Exports public networks as ONNX files, with weights that were never trained: GRAPHS/<network>.onnx at 224 x 224 and <network>_<size>.onnx.

usage: export_networks.py GRAPHS [torchvision] [yolox] [ultralytics]

It needs torch 2.0 with torchvision 0.15 and, for the YOLOs, ultralytics 8.4. The graphs of ultralytics follow definitions under AGPL-3.0: they are
for measuring and training here, and stay out of the repository. YOLOX is written below from its paper (arXiv 2107.08430); the number of
parameters of yoloxs and yoloxl is the published one (9.0 and 54.2 million).
"""

import os
import pathlib
import sys
import warnings

import torch
import torchvision
from torch import nn

SIZES = (160, 320, 480, 640, 800, 960, 1120)
TORCHVISION = (
    "alexnet vgg11 vgg13 vgg16 resnet18 resnet34 resnet50 resnet101 resnet152 densenet121 densenet161 densenet201 mobilenet_v2 "
    "mobilenet_v3_large mobilenet_v3_small shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0 "
    "squeezenet1_0 squeezenet1_1 googlenet"
).split()
# Depth, width, and whether convolutions are depthwise.
YOLOX = {
    "yoloxt": (0.33, 0.375, False),
    "yoloxn": (0.33, 0.25, True),
    "yoloxs": (0.33, 0.5, False),
    "yoloxm": (0.67, 0.75, False),
    "yoloxl": (1.0, 1.0, False),
}
ULTRALYTICS = "yolov8n yolov8s yolov8m yolov9t yolov9s yolov9m".split()
CLASSES = 80


class Convolution(nn.Module):
    """Convolution, batch normalisation and SiLU."""

    def __init__(self, inputs, outputs, kernel, stride=1, groups=1):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.normalisation = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return nn.functional.silu(self.normalisation(self.convolution(x)))


def spatial(inputs, outputs, stride, depthwise):
    """A 3 x 3 convolution, dense or separable."""
    if not depthwise:
        return Convolution(inputs, outputs, 3, stride)
    return nn.Sequential(Convolution(inputs, inputs, 3, stride, groups=inputs), Convolution(inputs, outputs, 1))


class Bottleneck(nn.Module):
    def __init__(self, channels, residual, depthwise):
        super().__init__()
        self.body = nn.Sequential(Convolution(channels, channels, 1), spatial(channels, channels, 1, depthwise))
        self.residual = residual

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


class CrossStage(nn.Module):
    """A stage of which half of the channels pass by."""

    def __init__(self, inputs, outputs, repeats, residual, depthwise):
        super().__init__()
        half = outputs // 2
        self.through, self.past = Convolution(inputs, half, 1), Convolution(inputs, half, 1)
        self.body = nn.Sequential(*(Bottleneck(half, residual, depthwise) for _ in range(repeats)))
        self.joined = Convolution(2 * half, outputs, 1)

    def forward(self, x):
        return self.joined(torch.cat((self.body(self.through(x)), self.past(x)), 1))


class Pyramid(nn.Module):
    """Maxima over windows of three sizes."""

    def __init__(self, channels):
        super().__init__()
        self.narrow, self.wide = Convolution(channels, channels // 2, 1), Convolution(2 * channels, channels, 1)

    def forward(self, x):
        x = self.narrow(x)
        return self.wide(torch.cat([x] + [nn.functional.max_pool2d(x, k, 1, k // 2) for k in (5, 9, 13)], 1))


class YoloX(nn.Module):
    def __init__(self, depth, width, depthwise):
        super().__init__()
        base, repeats, wide = int(64 * width), max(round(3 * depth), 1), int(256 * width)

        def stage(inputs, outputs, repeats, residual=False):
            return CrossStage(inputs, outputs, repeats, residual, depthwise)

        def halved(inputs, outputs):
            return spatial(inputs, outputs, 2, depthwise)

        self.stem = Convolution(12, base, 3)
        self.stages = nn.ModuleList(
            nn.Sequential(
                halved(base * 2**i, base * 2 ** (i + 1)),
                *([Pyramid(16 * base)] if i == 3 else []),
                stage(base * 2 ** (i + 1), base * 2 ** (i + 1), repeats * (3 if i in (1, 2) else 1), i != 3),
            )
            for i in range(4)
        )
        self.lateral = nn.ModuleList([Convolution(16 * base, 8 * base, 1), Convolution(8 * base, 4 * base, 1)])
        self.down = nn.ModuleList([stage(16 * base, 8 * base, repeats), stage(8 * base, 4 * base, repeats)])
        self.up = nn.ModuleList([halved(4 * base, 4 * base), halved(8 * base, 8 * base)])
        self.out = nn.ModuleList([stage(8 * base, 8 * base, repeats), stage(16 * base, 16 * base, repeats)])

        def branch(outputs):
            body = nn.Sequential(*(spatial(wide, wide, 1, depthwise) for _ in range(2)))
            return nn.ModuleList([body, nn.ModuleList(nn.Conv2d(wide, n, 1) for n in outputs)])

        self.stems = nn.ModuleList(Convolution(base * c, wide, 1) for c in (4, 8, 16))
        self.classes = nn.ModuleList(branch([CLASSES]) for _ in range(3))
        self.boxes = nn.ModuleList(branch([4, 1]) for _ in range(3))

    def forward(self, x):
        x = torch.cat((x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]), 1)
        x = self.stages[0](self.stem(x))
        c3 = self.stages[1](x)
        c4 = self.stages[2](c3)
        c5 = self.stages[3](c4)

        def larger(x):
            return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")

        top = self.lateral[0](c5)
        middle = self.lateral[1](self.down[0](torch.cat((larger(top), c4), 1)))
        p3 = self.down[1](torch.cat((larger(middle), c3), 1))
        p4 = self.out[0](torch.cat((self.up[0](p3), middle), 1))
        p5 = self.out[1](torch.cat((self.up[1](p4), top), 1))
        found = []
        for stem, (classes, kinds), (boxes, sides), level in zip(self.stems, self.classes, self.boxes, (p3, p4, p5)):
            level = stem(level)
            of_boxes = boxes(level)
            parts = (sides[0](of_boxes), sides[1](of_boxes).sigmoid(), kinds[0](classes(level)).sigmoid())
            found.append(torch.cat(parts, 1).flatten(2))
        return torch.cat(found, 2).permute(0, 2, 1)


def export(network, path, size):
    if not path.exists():
        part = path.with_suffix(".part")
        image = torch.zeros(1, 3, size, size)
        torch.onnx.export(network.eval(), image, str(part), opset_version=13, input_names=["images"], output_names=["output"])
        part.rename(path)


def main(graphs, wanted):
    warnings.filterwarnings("ignore")
    graphs.mkdir(parents=True, exist_ok=True)
    if "torchvision" in wanted:
        for name in TORCHVISION:
            export(getattr(torchvision.models, name)(weights=None), graphs / f"{name}.onnx", 224)
    if "yolox" in wanted:
        for name, settings in YOLOX.items():
            for size in SIZES:
                export(YoloX(*settings), graphs / f"{name}_{size}.onnx", size)
    if "ultralytics" in wanted:
        from ultralytics import YOLO

        os.chdir(graphs)
        for name in ULTRALYTICS:
            for size in SIZES:
                path = graphs / f"{name}_{size}.onnx"
                if not path.exists():
                    pathlib.Path(YOLO(f"{name}.yaml").export(format="onnx", opset=13, imgsz=size, simplify=False)).rename(path)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:] or ["torchvision", "yolox", "ultralytics"])
