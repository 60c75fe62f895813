"""Who belongs together, and what do they come to?"""
