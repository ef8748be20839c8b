"""What several kinds of tests share: a world in memory, fakes of the ports, samples."""
