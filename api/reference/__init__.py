"""What the documents of the API say beyond its code: examples, advice, and the pages themselves."""
