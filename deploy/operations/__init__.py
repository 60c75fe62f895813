"""What do people do with a running bank? Feed, erase, disclose, roll out, sum up."""
