"""Make recipes, which describe how a network becomes a `.tflite` file.

Names are the field's own: `int8_qat` is quantization-aware training to int8 weights and 8-bit
activations (`int8_pqat` of a pruned network, `int8_cqat` of a clustered one, `int8_pcqat` of one
that is both), `int8_ptq` post-training quantization with a representative data set, `dynamic_range`
int8 weights with float activations, `int16x8` int16 activations with int8 weights.

Recipes whose names contain `wi8` or `wi4` quantize the float `.tflite` with litert-quantizer, under
its names: `static` quantizes weights and activations, `dynamic` weights that the kernel multiplies
by activations that it quantizes in each invocation, `weight_only` weights that are unpacked to
floats; `wi4` is int4 weights, `ai16` int16 activations, `afp32` float32 activations, and `b32` a
scale for each block of 32 weights. They need `litegate[quantizer]`, not TensorFlow.

`strip=True` removes from the file what no device reads: names of tensors, the converter's notes.
Each build proves that its outputs stay the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from litegate.spec.budget import Budget
from litegate.spec.recipe import CALIBRATION_SAMPLES, Clustering, Kind, Pruning, Recipe

FINE_TUNE_EPOCHS = 1
"""After one, the MNIST network is within 0.04 points of its reference (three seeds). More may help
other networks, and costs an epoch of the candidate and of its reference."""


def float32() -> Recipe:
    """Convert the float network unchanged: the baseline in every table."""
    return Recipe(name="float32", kind=Kind.FLOAT32, gate=False)


def int8_qat(  # noqa: PLR0913 keywords only, each with a default
    *,
    name: str | None = None,
    fine_tune_epochs: int = FINE_TUNE_EPOCHS,
    from_scratch: bool = False,
    input_type: str = "float32",
    output_type: str = "float32",
    annotate: Callable[..., Any] | None = None,
    custom_objects: Callable[[], Mapping[str, Any]] | None = None,
    float_layers: str | Iterable[str] = (),
    pruning: Pruning | None = None,
    clustering: Clustering | None = None,
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
    chosen_on_half: bool = False,
) -> Recipe:
    """Train quantization-aware with tfmot, then convert without a representative data set.

    Fine-tunes the trained float network for `fine_tune_epochs`, or trains the quantized network
    `from_scratch` for the model's own epochs. All layers but `float_layers` are quantized;
    ``annotate(network, tfmot)``, which returns a network annotated with tfmot's API, must leave out
    exactly those. `pruning` and then `clustering` run before quantization, which preserves both.
    """
    prefix = f"{'p' if pruning else ''}{'c' if clustering else ''}"
    return Recipe(
        name=name or f"int8_{prefix}qat{'_scratch' if from_scratch else ''}",
        kind=Kind.INT8_QAT,
        fine_tune_epochs=0 if from_scratch else fine_tune_epochs,
        from_scratch=from_scratch,
        input_type=input_type,
        output_type=output_type,
        annotate=annotate,
        custom_objects=custom_objects,
        float_layers=_names(float_layers),
        pruning=pruning,
        clustering=clustering,
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
        chosen_on_half=chosen_on_half,
    )


def int8_ptq(  # noqa: PLR0913 keywords only, each with a default
    *,
    name: str = "int8_ptq",
    calibration_samples: int = CALIBRATION_SAMPLES,
    input_type: str = "float32",
    output_type: str = "float32",
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
) -> Recipe:
    """Quantize to full integers after training, calibrated on samples of the training split."""
    return Recipe(
        name=name,
        kind=Kind.INT8_PTQ,
        calibration_samples=calibration_samples,
        input_type=input_type,
        output_type=output_type,
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
    )


def dynamic_range(
    *,
    name: str = "dynamic_range",
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
) -> Recipe:
    """Quantize weights to int8, keep float activations; needs a device with float arithmetic."""
    return Recipe(
        name=name, kind=Kind.DYNAMIC_RANGE, gate=gate, budget=budget, strip=strip, shipped=shipped
    )


def float16(
    *,
    name: str = "float16",
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
) -> Recipe:
    """Store weights as float16, compute in floats."""
    return Recipe(
        name=name, kind=Kind.FLOAT16, gate=gate, budget=budget, strip=strip, shipped=shipped
    )


def int16x8(  # noqa: PLR0913 keywords only
    *,
    name: str = "int16x8",
    calibration_samples: int = CALIBRATION_SAMPLES,
    input_type: str = "float32",
    output_type: str = "float32",
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
) -> Recipe:
    """Quantize activations to int16 and weights to int8, calibrated on training samples.

    Inputs and outputs are float32 or int16.
    """
    return Recipe(
        name=name,
        kind=Kind.INT16X8,
        calibration_samples=calibration_samples,
        input_type=input_type,
        output_type=output_type,
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
    )


def static_wi8_ai8(  # noqa: PLR0913 keywords only
    *,
    name: str = "static_wi8_ai8",
    calibration_samples: int = CALIBRATION_SAMPLES,
    input_type: str = "float32",
    output_type: str = "float32",
    float_layers: str | Iterable[str] = (),
    int16_layers: str | Iterable[str] = (),
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
    chosen_on_half: bool = False,
) -> Recipe:
    """Quantize to int8 weights and int8 activations with litert-quantizer.

    Calibrated on training samples. Inputs and outputs are float32 or int8. `float_layers` stay
    float, and the activations of `int16_layers` have 16 bits.
    """
    return Recipe(
        name=name,
        kind=Kind.STATIC_WI8_AI8,
        calibration_samples=calibration_samples,
        input_type=input_type,
        output_type=output_type,
        float_layers=_names(float_layers),
        int16_layers=_names(int16_layers),
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
        chosen_on_half=chosen_on_half,
    )


def static_wi8_ai16(  # noqa: PLR0913 keywords only
    *,
    name: str = "static_wi8_ai16",
    calibration_samples: int = CALIBRATION_SAMPLES,
    input_type: str = "float32",
    output_type: str = "float32",
    float_layers: str | Iterable[str] = (),
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
    chosen_on_half: bool = False,
) -> Recipe:
    """Quantize to int8 weights and int16 activations with litert-quantizer.

    Calibrated on training samples. Inputs and outputs are float32 or int16. `float_layers` stay
    float.
    """
    return Recipe(
        name=name,
        kind=Kind.STATIC_WI8_AI16,
        calibration_samples=calibration_samples,
        input_type=input_type,
        output_type=output_type,
        float_layers=_names(float_layers),
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
        chosen_on_half=chosen_on_half,
    )


def dynamic_wi8_afp32(
    *,
    name: str = "dynamic_wi8_afp32",
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
) -> Recipe:
    """Quantize weights to int8 with litert-quantizer, a scale for each channel.

    The kernel quantizes the float activations in each invocation.
    """
    return Recipe(
        name=name,
        kind=Kind.DYNAMIC_WI8_AFP32,
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
    )


def weight_only_wi8_afp32(
    *,
    name: str = "weight_only_wi8_afp32",
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
) -> Recipe:
    """Quantize weights to int8 with litert-quantizer, and unpack them to compute in floats.

    Smaller than float, and never faster.
    """
    return Recipe(
        name=name,
        kind=Kind.WEIGHT_ONLY_WI8_AFP32,
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
    )


def weight_only_wi4_afp32(
    *,
    name: str = "weight_only_wi4_afp32",
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
) -> Recipe:
    """Quantize weights to int4 with litert-quantizer, and unpack them to compute in floats.

    Depthwise and transposed convolutions stay float.
    """
    return Recipe(
        name=name,
        kind=Kind.WEIGHT_ONLY_WI4_AFP32,
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
    )


def dynamic_wi4b32_afp32(
    *,
    name: str = "dynamic_wi4b32_afp32",
    gate: bool = True,
    budget: Budget | None = None,
    strip: bool = False,
    shipped: str | None = None,
) -> Recipe:
    """Quantize dense layers to int4 with litert-quantizer, a scale for each block of 32 weights.

    Convolutions stay float. The build fails if the inputs of a dense layer are no multiple of 32.
    """
    return Recipe(
        name=name,
        kind=Kind.DYNAMIC_WI4B32_AFP32,
        gate=gate,
        budget=budget,
        strip=strip,
        shipped=shipped,
    )


def _names(layers: str | Iterable[str]) -> tuple[str, ...]:
    return (layers,) if isinstance(layers, str) else tuple(layers)
