"""Scale: a year of ten million users over several event stores, simulated with measured times."""
