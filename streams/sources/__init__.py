"""Where do interactions come from, when it is not a live system?

Files and made-up banks, as streams of events.
"""
