"""How good are models and choices? Measured on history."""
