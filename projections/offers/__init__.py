"""What was offered, what was answered, and what is to be offered now?"""
