"""A package, as its fixtures last for one."""
