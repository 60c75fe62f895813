"""Who is the customer?"""
