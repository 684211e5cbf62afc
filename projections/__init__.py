"""What has happened, laid out for questions: SQLite tables, disposable, built from the log."""
