"""Maps of a trained model and their scores, batch by batch."""
