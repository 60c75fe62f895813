"""What does a relationship manager have to do with?"""
