"""The parts that everything else stands on; imports nothing of ours but itself."""
