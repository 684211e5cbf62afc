"""The web side: requests in, answers out, and who may ask."""
