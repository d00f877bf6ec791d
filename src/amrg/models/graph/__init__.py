"""The embedded model without torch: its tower as a graph for ONNX Runtime, its language model in numpy."""

from amrg.core.telemetry import turn_off_telemetry

turn_off_telemetry()  # read when ONNX Runtime is imported
