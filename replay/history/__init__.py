"""What was known then, why, and would it be decided so again?"""
