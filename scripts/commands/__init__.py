"""Commands: what an operator can ask for, by topic; nothing heavy is imported before it is used."""
