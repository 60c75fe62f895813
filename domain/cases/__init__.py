"""What did the customer complain of, and what became of it?"""
