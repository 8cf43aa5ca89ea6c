"""What ties it together: one study a file."""
