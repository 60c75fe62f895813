"""What may be offered to whom, in which order, how often, and what became of it?"""
