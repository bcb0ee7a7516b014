"""The base model of the starter kit: a small network that knows many voices, so that one more is learnt in minutes."""
