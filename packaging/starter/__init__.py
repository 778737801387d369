"""The training kit of the starter model: sources, noise, rendering, training and export."""
