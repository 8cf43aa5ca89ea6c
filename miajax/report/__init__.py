"""What people look at: plots and one self-contained HTML report."""
