"""What does a household or company group come to?"""
