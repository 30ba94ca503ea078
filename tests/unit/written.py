"""Files of which shapes and lifetimes alone matter: vectors that operators join to longer ones."""

import random

from ai_edge_litert import schema_py_generated as schema

from litegate.tflite.editing.writer import ModelWriter


def joined(inputs, reads):
    """The bytes of a `.tflite` of float32 vectors; `inputs` are the lengths of its inputs.

    Each of `reads` is an operator that joins the vectors with those numbers into a new one. What no
    operator reads is an output.
    """
    writer = ModelWriter("joined vectors")
    lengths = list(inputs)
    vectors = [writer.computed(f"input {n}", "float32", (size,)) for n, size in enumerate(inputs)]
    for number, indices in enumerate(reads):
        lengths.append(sum(lengths[index] for index in indices))
        output = writer.computed(f"vector {number}", "float32", (lengths[-1],))
        options = schema.ConcatenationOptionsT(axis=0)
        vectors.append(writer.operator("CONCATENATION", 1, indices, output, options))
    read = {index for indices in reads for index in indices}
    unread = [index for index in vectors if index not in read]
    return writer.finish(vectors[: len(inputs)], unread)


def drawn(seed):
    """Random vectors: up to three inputs and nineteen operators, each reading recent vectors."""
    rng = random.Random(seed)
    inputs = [rng.randrange(1, 200) for _ in range(rng.randrange(1, 4))]
    reads, count = [], len(inputs)
    for _ in range(rng.randrange(3, 20)):
        recent = range(max(0, count - 6), count)
        reads.append(rng.sample(recent, min(len(recent), rng.randrange(1, 3))))
        count += 1
    return joined(inputs, reads)
