"""Every pass through a network: engine, tape, layers, precision and memory."""
