"""Which tier does the customer stand in?"""
