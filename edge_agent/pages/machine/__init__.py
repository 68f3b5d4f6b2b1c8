"""The Machine page: one machine in one window, in pictures, and what is behind each number."""
