"""Write a changed copy of a `.tflite` file."""
