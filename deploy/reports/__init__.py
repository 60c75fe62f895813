"""How do answers look on paper and in a browser?"""
