"""Time one image through an ONNX file, on a machine that has numpy and onnxruntime: time_onnx.py model.onnx [threads].

Prints the median of five rounds in milliseconds, and the deviation between rounds.
"""

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime

ROUNDS, RUNS, WARM = 5, 20, 10


def main(file: str, threads: str = "1") -> None:
    """Print one line of JSON."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    image = {given.name: np.zeros((1, *given.shape[1:]), dtype=np.uint8)}

    def run_ms() -> float:
        began = time.perf_counter()
        session.run(None, image)
        return 1000 * (time.perf_counter() - began)

    for _ in range(WARM):
        run_ms()
    rounds = [statistics.median(run_ms() for _ in range(RUNS)) for _ in range(ROUNDS)]
    print(json.dumps({"value": statistics.median(rounds), "deviation": statistics.stdev(rounds)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
