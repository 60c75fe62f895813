"""What is a rule made of? Quantities, and conditions over them."""
