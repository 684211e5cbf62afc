"""What event stores are made of; `projections.log` says what each offers."""
