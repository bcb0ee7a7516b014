"""The optimizer lab: which optimizer, at which rate, gets furthest on a run's own recordings from the weights the run begins with.

A *trial* is one candidate, one seed and a number of steps (``trial``, made on a ``bench``). What several came to is put in order in
``ranking``.
"""
