"""Recording: from a sender's request or queue message to one committed transaction."""
