"""What a network costs on CUDA: waited for, in bfloat16, and its memory the device's.

Runs alone on a bare machine as `test_gpu.py` does:

    PYTHONPATH=. python -m pytest --noconftest -c /dev/null --rootdir . tests/workers/test_gpu_measure.py
"""

import json

import pytest
import torch

from spaces.architecture import Architecture, ImageSpec
from spaces.counting import cost
from spaces.network import build
from workers.device import choose_device
from workers.latency import measure_latency
from workers.measure import main
from workers.numerics import usual
from workers.recipe import Recipe

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device on this machine"),
]

WIDE = Architecture(widening_factor=8)


def test_a_run_is_waited_for() -> None:
    device, image = choose_device("cuda"), ImageSpec()
    chosen = usual(Recipe(), device)
    network = build(WIDE, image)
    one, many = (measure_latency(network, image, batch=n, device=device, numerics=chosen) for n in (1, 4096))
    assert next(network.parameters()).is_cuda
    assert many.median_ms > 3 * one.median_ms  # what is only launched takes as long for any batch
    assert many.images_per_s > 10 * one.images_per_s
    flops = 2 * cost(WIDE, image).macs * many.images_per_s
    assert flops < 5e15  # no such device is known


@pytest.mark.parametrize("batch", [64, 512])
def test_memory_is_that_of_training_a_batch_and_within_what_was_expected(
    batch: int, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--set", "widening_factor=8", "--device", "cuda", "--batch", str(batch), "--json"]
    assert main([*given, "--precision", "float32"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["device"] == torch.cuda.get_device_name()
    params, images = 4 * found["params"], batch * 4 * cost(WIDE, ImageSpec()).activations
    assert 3 * params + images / 4 < found["training_peak_bytes"]
    assert found["training_peak_bytes"] < 1.5 * found["training_bytes_estimate"] + 2**28  # and cuDNN's working space
    assert 0 < found["latency_ms_batch1"] <= found["latency_p90_ms_batch1"]


def test_an_epoch_is_timed_on_the_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", "digits", "--device", "cuda", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0 < found["epoch_s"] < 60
    if torch.cuda.get_device_capability() >= (8, 0):
        assert found["precision"] == "bfloat16"
