"""How fast is it on this machine?

Each figure beside its ceilings and its peers, measured in the same run.
"""
