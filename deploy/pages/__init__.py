"""Which pages are made from the code, and what do they say?"""
