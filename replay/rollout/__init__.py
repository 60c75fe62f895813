"""How does another version become the one that readers see?"""
