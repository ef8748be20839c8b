"""One suite for each port, passed by the real adapter and by its fake alike."""
