"""What runs, where, and with which settings?

The composition root, the command line and the embedded services.
"""
