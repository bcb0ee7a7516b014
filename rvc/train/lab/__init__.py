"""The optimizer lab: which optimizer, at which rate, gets furthest on a run's own recordings from the weights the run begins with.

A *trial* (``trial``) is one candidate, one seed and a number of steps, made on a ``bench``. ``asked`` says what is compared, ``halving`` in
which rounds, ``ranking`` what several seeds say, ``record`` keeps it all in the run's folder, ``experiment`` does the work.
"""
