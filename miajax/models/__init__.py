"""What is trained: networks, their registry, and the contract for bringing your own."""
