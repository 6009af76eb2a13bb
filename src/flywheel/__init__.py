"""The loop: from users' feedback to a better model. It knows no project."""
