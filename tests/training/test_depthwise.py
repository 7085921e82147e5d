import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nephoscope.training.depthwise import QuickDepthwise


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 5]), st.integers(1, 2), st.integers(0, 2), st.integers(2, 9))
def test_gradients_equal_those_of_full_precision_up_to_rounding(
    seed: int, kernel: int, stride: int, padding: int, channels: int
) -> None:
    torch.manual_seed(seed)
    images = torch.randn(2, channels, 11, 8).bfloat16().float().requires_grad_()
    weight = torch.randn(channels, 1, kernel, kernel).bfloat16().float().requires_grad_()
    exact = torch.conv2d(images, weight, None, stride, padding, 1, channels)
    towards = torch.randn_like(exact).bfloat16().float()
    expected = torch.autograd.grad((exact * towards).sum(), (images, weight))
    with torch.autocast("cpu", dtype=torch.bfloat16), QuickDepthwise():
        output = torch.nn.functional.conv2d(images, weight, None, stride, padding, 1, channels)
    assert output.dtype == torch.bfloat16
    gradients = torch.autograd.grad((output.float() * towards).sum(), (images, weight))
    torch.testing.assert_close(output.float(), exact, rtol=0.01, atol=0.05)
    for gradient, expected_gradient in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, expected_gradient, rtol=0.01, atol=0.02)


def test_it_applies_to_every_depthwise_convolution_and_only_under_autocast() -> None:
    network = timm.create_model("mobilenetv3_small_050", num_classes=2)
    depthwise = sum(1 for part in network.modules() if isinstance(part, torch.nn.Conv2d) and part.groups > 1)
    images = torch.rand(2, 3, 32, 48)
    for autocast, expected in ((True, depthwise), (False, 0)):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast), QuickDepthwise():
            loss = network(images).float().sum()
        assert count_quick(loss) == expected


def count_quick(value: torch.Tensor) -> int:
    visited, pending = set(), [value.grad_fn]
    while pending:
        node = pending.pop()
        if node is not None and node not in visited:
            visited.add(node)
            pending += [previous for previous, _ in node.next_functions]
    return sum(node.name() == "_DepthwiseBackward" for node in visited)
