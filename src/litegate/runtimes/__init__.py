"""Run the bytes of a `.tflite` file: interpreter, inference, and the sandbox process."""
