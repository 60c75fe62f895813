"""How did campaigns touch the customer?"""
