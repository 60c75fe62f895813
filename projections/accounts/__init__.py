"""What does a customer hold, month by month, and what are other currencies worth?"""
