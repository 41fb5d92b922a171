"""What networks are made of: trunks, heads, weights and losses."""
