"""What do the states come to when they are folded anew, and is everything still what it was?"""
