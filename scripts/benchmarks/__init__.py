"""How fast it is: figures, each a ratio against a peer or a limit measured in the same run."""
