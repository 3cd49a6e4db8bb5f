"""Deployment: Render's Blueprint and build command, GitHub's matrix."""
