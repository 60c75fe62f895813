"""What would change under another rule? Columns of facts, and who would move."""
