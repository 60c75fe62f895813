"""How does an interaction get from here into the journal? Sent, confirmed, or sent again."""
