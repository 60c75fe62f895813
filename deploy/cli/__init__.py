"""What can be asked on the command line? One file a subject."""
