"""Which version of a projection is live, and who decided so?"""
