"""What concerns the whole bank?"""
