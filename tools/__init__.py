"""Programs that prepare a machine for the project; make runs them."""
