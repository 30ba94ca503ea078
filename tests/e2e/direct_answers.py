"""Run a `.tflite` on CIFAR images with a runtime's own package, without litegate.

    python direct_answers.py FILE RUNTIME IMAGES STEP OUT

IMAGES is the `.npz` of the test images; every STEP-th of them is run. OUT gets the decisions.
"""

import multiprocessing
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np

PART = 500


def main(file, runtime, images, step, out):
    with np.load(images) as arrays:
        x = arrays["x_test"][:: int(step)].astype(np.float32)
    run = partial({"tflm": tflm, "gpu": gpu}.get(runtime, partial(litert, runtime)), file)
    parts = [x[start : start + PART] for start in range(0, len(x), PART)]
    with multiprocessing.Pool() as pool:
        np.save(out, np.concatenate(pool.map(run, parts, chunksize=1)))


def quantized(x, scale, zero_point):
    """As the file's input takes the images: its own type, or floats where it has no scale."""
    return x if not scale else (np.round(x / scale) + zero_point).astype(np.int8)


def tflm(file, x):
    from tflite_micro.python.tflite_micro.runtime import Interpreter

    interpreter = Interpreter.from_file(file, arena_size=1 << 20)
    details = interpreter.get_input_details(0)["quantization_parameters"]
    scale = details["scales"][0] if len(details["scales"]) else 0
    zero_point = details["zero_points"][0] if len(details["zero_points"]) else 0
    decisions = []
    for sample in quantized(x, scale, zero_point):
        interpreter.set_input(sample[None], 0)
        interpreter.invoke()
        decisions.append(interpreter.get_output(0).argmax())
    return decisions


def litert(runtime, file, x):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.AUTO if runtime == "xnnpack" else OpResolverType.BUILTIN_REF
    interpreter = Interpreter(
        model_path=file, num_threads=1, experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    decisions = []
    for sample in quantized(x, *source["quantization"]):
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        decisions.append(interpreter.get_tensor(sink["index"]).argmax())
    return decisions


def gpu(file, x):
    for browser in ("/usr/lib/chromium", "/opt/google/chrome"):
        if (driver := Path(browser, "vk_swiftshader_icd.json")).exists():
            os.environ.setdefault("VK_DRIVER_FILES", str(driver))
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.interpreter import Interpreter

    (source,) = Interpreter(model_path=file).get_input_details()
    model = CompiledModel.from_file(file, hardware_accel=HardwareAccelerator.GPU)
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    decisions = []
    for sample in quantized(x, *source["quantization"]):
        inputs[0].write(sample)
        model.run_by_index(0, inputs, outputs)
        decisions.append(outputs[0].read(10, sample.dtype).argmax())
    return decisions


if __name__ == "__main__":
    main(*sys.argv[1:])
