"""Ways to run a model, one package for each; `registry` reaches them by name and imports none before it is asked to."""
