"""What moves the weights: forty-three optimizers by name, each the algorithm its name says, with the settings it needs here.

``registry`` lists them without torch; ``build`` makes one for a network.
"""
