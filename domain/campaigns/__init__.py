"""How did a campaign touch the customer?"""
