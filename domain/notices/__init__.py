"""What goes out to other systems, to whom, and how much of it?"""
