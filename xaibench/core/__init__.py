"""The parts that everything else uses; imports nothing of ours but itself."""
