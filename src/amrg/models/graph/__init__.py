"""The embedded model without torch: its tower as a graph for ONNX Runtime, its language model in numpy."""
