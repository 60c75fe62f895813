"""Which questions about the past are answered over HTTP?"""
