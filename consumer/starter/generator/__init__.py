"""Made-up Chinese addresses with their components, deterministic by seed.

Real are only the openly licensed names of places (``consumer/gazetteer``, ``starter/data``);
no address of a person was seen, and none is reproduced but by chance.
"""
