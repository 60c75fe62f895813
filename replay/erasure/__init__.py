"""What is left of somebody whose key is gone, and whose time is over?"""
