"""What do several read models say together?"""
