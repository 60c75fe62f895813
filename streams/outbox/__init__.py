"""How do notices reach other systems? At least once, each under one name, in order per customer."""
