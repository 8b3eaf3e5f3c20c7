"""A cohort on disk becomes pairs of slices."""
