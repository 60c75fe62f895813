"""What have the models learnt, and how likely do they say a yes is?"""
