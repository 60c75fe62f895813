"""What happened and what the bank has decided: pure rules in the bank's own words."""
