"""Files to Volume and Regions, and back."""
