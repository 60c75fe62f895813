"""What did the customer tell us?"""
