"""What does history mean? One left fold per question asked, and where folded states are kept."""
