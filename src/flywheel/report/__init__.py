"""What people read: the report, its pictures, the comment and the site."""
