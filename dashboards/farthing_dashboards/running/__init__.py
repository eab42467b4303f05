"""The commands over the local store: ``farthing run``, ``farthing ui`` and ``farthing report``."""
