"""`sitecustomize.py` of the environment of `check_vllm.py`: two operators that torchvision's binary would define.

The registry has torchvision for CUDA only, and its compiled part does not load next to torch for CPUs. The two suppress
overlapping boxes, which nothing here does; but without them `import torchvision` fails.
"""

import importlib.abc
import sys
from typing import Any


class _Operators(importlib.abc.MetaPathFinder):
    library: Any = None

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Define the operators when torchvision is about to be imported; find nothing."""
        if name == "torchvision" and self.library is None:
            import torch  # noqa: PLC0415  (seconds, and only where torchvision is imported)

            self.library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
            for operator in ("nms", "qnms"):
                self.library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


sys.meta_path.insert(0, _Operators())
