"""Who is this customer, and how does one event change all that is known of them?"""
