"""Shows the bank to people, in a browser, in Chinese and English."""
