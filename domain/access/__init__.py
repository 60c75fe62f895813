"""Who may see and say what, and what is written down of every look?"""
