"""Private training: accuracy, what attacks find, epsilon from above and below."""
