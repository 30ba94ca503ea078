"""Read the structure of a file: size, memory, operators, tensor types."""
