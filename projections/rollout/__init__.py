"""Which versions of groups run, and which of them do readers see?"""
