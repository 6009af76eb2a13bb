"""Answers of annotators: files in `annotations/`, which people hand in by pull request and which become feedback."""
