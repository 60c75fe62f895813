"""Who is let in, to what, how often, and how much is shown?"""
