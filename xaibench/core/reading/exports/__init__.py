"""What labeling tools export: images, and outlines of the objects in them."""
