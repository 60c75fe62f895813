"""What did the customer complain of, and what is still open?"""
