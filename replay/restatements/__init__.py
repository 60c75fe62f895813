"""How do closed months of customers count anew?"""
