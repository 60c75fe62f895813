"""What does a customer hold, and what moved: accounts, ledgers, months."""
