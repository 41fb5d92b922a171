"""What a run is about: options, plugins, data, splits, and the cells that come of them."""
