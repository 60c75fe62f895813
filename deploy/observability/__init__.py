"""How do processes log, and where do spans go?"""
