"""What the local servers share."""
