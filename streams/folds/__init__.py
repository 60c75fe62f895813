"""How do recorded events become read models, live?"""
