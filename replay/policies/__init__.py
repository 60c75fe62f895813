"""What would another catalogue, privacy policy or arrival policy change?"""
