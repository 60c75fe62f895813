"""Which of the bank's policies hold, and who says so first?"""
