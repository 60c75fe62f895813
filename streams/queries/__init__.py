"""What do the read models say, and how is the system doing?"""
