"""What would history say if it were folded again? Offline and on demand, from the journal alone."""
