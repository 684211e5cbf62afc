"""The operators' pages: everybody's exports, and what the service is at."""
