"""Who looks after a customer?"""
