"""What shows the costs: the OTLP receiver, the summary by step, and the demo with its simulator.

It reads the telemetry that farthing emits and never runs inside the application.
"""
