"""What had the bank itself said by then?"""
