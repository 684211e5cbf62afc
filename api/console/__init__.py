"""The console: pages for people, in the API's process, over the API's own calls."""
