"""Certificates and the choice of an endpoint: who we are, whom we trust, and how the channel is protected."""
