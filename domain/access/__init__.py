"""Who there is: projects with their apps, users with their rights and keys."""
