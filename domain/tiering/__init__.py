"""Which tier does a customer stand in, by which policy?"""
