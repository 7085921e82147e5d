"""Faster training of depthwise convolutions in 16 bits on a CPU."""

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class QuickDepthwise(TorchFunctionMode):
    """A context in which depthwise convolutions in bf16 compute their gradients in fp32.

    oneDNN's bf16 kernels for these gradients are up to fifteen times slower, and take two thirds of a training step.
    """

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        # Modules call conv2d with positional arguments only.
        if function is torch.conv2d and len(args) == 7 and torch.is_autocast_enabled("cpu"):
            images, weight, bias, stride, padding, dilation, groups = args
            if bias is None and groups == images.shape[1] == weight.shape[0] > 1 and not isinstance(padding, str):
                return _Depthwise.apply(images, weight, _pair(stride), _pair(padding), _pair(dilation))
        return function(*args, **(kwargs or {}))


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, images: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any) -> Tensor:
        images, weight = images.bfloat16(), weight.bfloat16()
        context.save_for_backward(images, weight)
        context.geometry = stride, padding, dilation
        return torch.conv2d(images, weight, None, stride, padding, dilation, len(weight))

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Any:
        images, weight = context.saved_tensors
        needed = context.needs_input_grad[:2]
        of_images, of_weight, _ = torch.ops.aten.convolution_backward(
            gradients[0].float(), images.float(), weight.float(), None, *context.geometry, False, (0, 0), len(weight),
            (*needed, False),
        )  # fmt: skip
        return (of_images.bfloat16() if needed[0] else None, of_weight, None, None, None)


def _pair(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)
