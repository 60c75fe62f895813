"""Which questions are answered over HTTP? One file a subject."""
