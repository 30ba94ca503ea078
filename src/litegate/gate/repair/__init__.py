"""Find the cheapest layers to leave out of quantization, so that a recipe keeps its limits."""
