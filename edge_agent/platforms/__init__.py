"""A file a platform: its keys in the site file, and how its profile is made of them."""
