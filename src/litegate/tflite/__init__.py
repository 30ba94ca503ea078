"""Read and edit a `.tflite` file without running it. Imports no interpreter."""
