"""Which closed months count anew, with what came late in its place, and who decided so?"""
